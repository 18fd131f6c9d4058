#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: login_key
short_description: Authorize the key that logged in for setup to log in as the project's user
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Adds the key of the configuration, or the one that let the controller in, to C(~/.ssh/authorized_keys) of a user.
    Removes none.
options:
  user:
    description: The user who shall be able to log in.
    type: str
    required: true
  login:
    description: The user who has logged in. Their authorized keys show which of the offered keys was accepted.
    type: str
    required: true
  authorized:
    description:
      - Lines that an earlier look has found to be authorized for O(user). With all keys in it, the server is not asked.
    type: list
    elements: str
    default: []
  accepted:
    description: Lines that an earlier look has found to be authorized for O(login).
    type: list
    elements: str
    default: []
  offered:
    description: For the part that runs on the server. The public keys that the controller can log in with.
    type: list
    elements: str
    default: []
attributes:
  action:
    description: Finds the keys of the controller.
    support: full
  check_mode:
    description: Reports what would be added.
    support: full
  diff_mode:
    description: Shows the lines that are added.
    support: full
  idempotent:
    description: Adds no key twice.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
seealso:
  - module: ansible.builtin.user
"""

EXAMPLES = r"""
- name: Let this machine log in as the project's user
  onetouch.deploy.login_key:
    user: deploy
    login: root
"""

RETURN = r"""
added:
  description: The fingerprint and the comment of each key that was added.
  type: list
  elements: str
  returned: success
  sample: ["SHA256:uNiVztksCsDhcc0u9e8BrJXVNvZ31nQdvcNGIYtYkxE you@laptop"]
path:
  description: The file that has the keys.
  type: str
  returned: success
  sample: /home/deploy/.ssh/authorized_keys
"""

import os
import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import login_keys
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.as_user import acting_as


def main() -> None:
    """Add what is missing."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "user": {"type": "str", "required": True},
            "login": {"type": "str", "required": True},
            # What an earlier look has found is for the part that runs on the controller.
            **{name: {"type": "list", "elements": "str", "default": []} for name in ("authorized", "accepted")},
            "offered": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    user = module.params["user"]
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        module.fail_json(
            msg=f"no keys can be authorized: there is no user {user}. Create the user, then run setup again"
        )
        return
    if not Path(account.pw_dir).is_dir():
        msg = f"user {user} cannot be given a key: its home directory {account.pw_dir} does not exist. Create it"
        module.fail_json(msg=f"{msg}: mkhomedir_helper {user}")
    try:
        module.exit_json(**authorize(module, account))
    except OSError as error:
        module.fail_json(msg=f"user {user} cannot be given a key: {error}. Let {user} own ~/.ssh and what is in it")


def authorize(module: AnsibleModule, account: pwd.struct_passwd) -> dict[str, Any]:
    """Return what the module returns."""
    offered = login_keys.parse("\n".join(module.params["offered"]))
    wanted = login_keys.select(offered, login_keys.parse(read(accepted_file(module.params["login"]))))
    file = Path(account.pw_dir, ".ssh/authorized_keys")
    with acting_as(account):
        before = read(file)
    missing = login_keys.lacking(wanted, before)
    after = login_keys.extended(before, missing)
    if missing and not module.check_mode:
        create_directory(file.parent, account)
        with acting_as(account):
            write(file, after)
    added = [key.describe() for key in missing]
    diff = {"before": before, "after": after, "before_header": str(file), "after_header": str(file)} if missing else {}
    return {"changed": bool(missing), "added": added, "path": str(file), "diff": diff}


def accepted_file(login: str) -> Path:
    """Return the file of the keys that may log in as `login`; one that cannot exist for a user who is not known."""
    try:
        return Path(pwd.getpwnam(login).pw_dir, ".ssh/authorized_keys")
    except KeyError:
        return Path("/nonexistent")


def read(file: Path) -> str:
    """Return the content of a file; one that does not exist is empty."""
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""


def write(file: Path, text: str) -> None:
    """Replace a file in one step, so that no login finds half of it."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text, encoding="utf-8", errors="surrogateescape")
    fresh.chmod(0o600)
    fresh.replace(file)


def create_directory(path: Path, account: pwd.struct_passwd) -> None:
    """Create ~/.ssh as its owner, or as root where the home itself belongs to root."""
    if path.is_dir():
        return
    owns_home = path.parent.stat().st_uid == account.pw_uid
    if owns_home or os.geteuid():
        with acting_as(account):
            path.mkdir(mode=0o700)
    else:
        path.mkdir(mode=0o700)
        os.chown(path, account.pw_uid, account.pw_gid)


if __name__ == "__main__":
    main()
