#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: project_directories
short_description: Create directories of a project as root
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Creates directories with those above them, and gives them their owner. A directory above gets the owner of the one
    that holds it.
  - Follows no link that a user other than root can have made. M(ansible.builtin.file) would, so that this user could
    have root give away any directory of the server.
options:
  name:
    description: The name of the project, for messages.
    type: str
    required: true
  paths:
    description: The directories. Absolute.
    type: list
    elements: path
    required: true
  user:
    description: The user who is to own them.
    type: str
    required: true
  exact:
    description: Whether directories that exist get this owner and the mode 0755, too. Otherwise they stay as they are.
    type: bool
    default: false
attributes:
  check_mode:
    description: Returns what would be created or changed.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Changes nothing where all directories are as they should be.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
seealso:
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Create what the app may write to
  onetouch.deploy.project_directories:
    name: blog
    paths: [/srv/uploads]
    user: deploy
"""

RETURN = r"""
directories:
  description: The directories that were created or changed.
  type: list
  elements: str
  returned: success
  sample: [/srv/uploads]
"""

import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError, as_failure
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import directories
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.directories import Wanted


def ensure(given: dict[str, Any], *, check: bool) -> list[str]:
    """Return the directories that had to be created or changed. Raises ReleaseError and OSError."""
    try:
        owner = pwd.getpwnam(given["user"])
    except KeyError:
        user = given["user"]
        raise ReleaseError(
            f"there is no user {user} to own directories", "create the user, then run setup again"
        ) from None
    every = (Wanted(Path(path), owner, given["exact"]) for path in given["paths"])
    found = [wanted for wanted in every if directories.differs(wanted)]
    for wanted in [] if check else found:
        directories.ensure(wanted)
    return [str(wanted.path) for wanted in found]


def main() -> None:
    """Create what is missing."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "name": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "path", "required": True},
            "user": {"type": "str", "required": True},
            "exact": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        changed = ensure(module.params, check=module.check_mode)
    except Exception as reason:
        module.fail_json(msg=f"{module.params['name']}: {as_failure(reason)}")
    module.exit_json(changed=bool(changed), directories=changed)


if __name__ == "__main__":
    main()
