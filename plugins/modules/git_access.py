#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_access
short_description: Give the project's user what it takes to read the repository
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Adds host keys of the git server to the user's file of known hosts. Removes none.
  - Makes a deploy key for the project where the git server refuses the user. The private half stays on the server.
options:
  name:
    description: The name of the project, after which its key is named.
    type: str
    required: true
  file:
    description: The user's file of known hosts. Without it no line is added.
    type: path
  lines:
    description: Lines to add to O(file).
    type: list
    elements: str
    default: []
  make_key:
    description: Whether the project needs a key of its own. One that exists is kept.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reports what would be added and made.
    support: full
  diff_mode:
    description: Shows the lines that are added.
    support: full
  idempotent:
    description: Adds no line twice, and makes no second key.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - ssh-keygen of OpenSSH
  - Python 3.9 or newer
seealso:
  - module: onetouch.deploy.server_facts
"""

EXAMPLES = r"""
- name: Make a deploy key for the project
  onetouch.deploy.git_access:
    name: blog
    make_key: true
"""

RETURN = r"""
added:
  description: The lines that were added.
  type: list
  elements: str
  returned: success
  sample: ["git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOx1CBkmnqVmnSmnHw9kGmCkYvzOYkWEt4pDk7VjFnXk"]
waits_for:
  description: The public key that the git server has to accept first. Empty without O(make_key).
  type: str
  returned: success
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOx1CBkmnqVmnSmnHw9kGmCkYvzOYkWEt4pDk7VjFnXk blog@web1
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import deploy_key as project_key
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import deploy_keys, host_keys


def main() -> None:
    """Add what is missing."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "name": {"type": "str", "required": True},
            "file": {"type": "path"},
            "lines": {"type": "list", "elements": "str", "default": []},
            "make_key": {"type": "bool", "default": False, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        known, key = known_hosts(module), deploy_key(module) if module.params["make_key"] else {}
    except (OSError, ReleaseError) as error:
        remedy = "Let the project's user own ~/.ssh and what is in it"
        module.fail_json(
            msg=f"{module.params['name']}: the user cannot be given access to the repository: {error}. {remedy}"
        )
        return
    changed = known["changed"] or key.get("changed", False)
    module.exit_json(**{"waits_for": "", **known, **key, "changed": changed})


def known_hosts(module: AnsibleModule) -> dict[str, Any]:
    """Add the lines that the file of known hosts lacks."""
    file = Path(module.params["file"] or "/nonexistent")
    added = [line for line in dict.fromkeys(module.params["lines"]) if not has_line(file, line)]
    if added and not module.check_mode:
        append(file, added)
    diff = {"before": "", "after": "".join(f"{line}\n" for line in added), "after_header": "known_hosts"}
    return {"changed": bool(added), "added": added, "diff": diff}


def has_line(file: Path, line: str) -> bool:
    """Return whether a file of known hosts has the key of a line for the first of its names."""
    parsed = host_keys.parse_line(line)
    return parsed is not None and parsed[1] in host_keys.known_keys(run, parsed[0].split(",")[0], [str(file)])


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a program."""
    done = run_command(argv, env={"LC_ALL": "C"})
    return done.rc, done.out, done.err


def append(file: Path, lines: list[str]) -> None:
    """Add lines to the user's file of known hosts, which may not exist yet, or lack its last newline."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        before = opened.read()
        start = b"\n" if before and not before.endswith(b"\n") else b""
        opened.write(start + "".join(f"{line}\n" for line in lines).encode())


def deploy_key(module: AnsibleModule) -> dict[str, Any]:
    """Make the project's key unless there is one; return its public half."""
    name = module.params["name"]
    key = project_key.key_file(Path.home(), name)
    public = deploy_keys.public_half(key)
    if public or module.check_mode:
        return {"changed": not public, "waits_for": public or f"the key that setup would make: {key}"}
    return {"changed": True, "waits_for": deploy_keys.make(run_command, key, deploy_keys.comment(name))}


if __name__ == "__main__":
    main()
