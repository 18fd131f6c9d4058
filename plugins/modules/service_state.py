#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_state
short_description: Report which files and units are not as setup would leave them
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Answers in one remote execution for all files and units, so that setup writes and starts only what differs.
options:
  files:
    description: Files with a hash of their content, links with where they lead, or paths that must not be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      sha256:
        description: The hash of the wanted content.
        type: str
        default: ''
      mode:
        description: The wanted mode, in octal digits.
        type: str
        default: '0644'
      link:
        description: Where a link has to lead.
        type: str
  running:
    description: Units that have to run, now and after a boot.
    type: list
    elements: str
    default: []
  stopped:
    description: Units that must neither run nor be started at boot.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
seealso:
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Find out whether the service runs as configured
  onetouch.deploy.service_state:
    running: [procmon@blog.service]
"""

RETURN = r"""
differing_files:
  description: The paths of the files that differ.
  type: list
  elements: str
  returned: success
  sample: [/etc/systemd/system/procmon@.service]
differing_units:
  description: The names of the units that are not in the wanted state.
  type: list
  elements: str
  returned: success
  sample: [procmon@blog.service]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import service_state

FILE: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "sha256": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0644"},
    "link": {"type": "str"},
}


def main() -> None:
    """Compare what is there with what is wanted."""
    units: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
            "running": units,
            "stopped": units,
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        files = [file["path"] for file in wanted["files"] if service_state.differs(Path(file["path"]), file)]
        module.exit_json(changed=False, differing_files=files, differing_units=differing_units(wanted))
    except (OSError, ReleaseError) as error:
        module.fail_json(msg=f"the service could not be looked at: {error}. Correct that, then run setup again")


def differing_units(wanted: dict[str, Any]) -> list[str]:
    """Return the names of the units that are not in the wanted state."""
    running, stopped = wanted["running"], wanted["stopped"]
    if not running and not stopped:
        return []
    found = service_state.ask_units([*running, *stopped])
    return [
        *(name for name in running if not service_state.is_running(found.get(name, {}))),
        *(name for name in stopped if not service_state.is_off(found.get(name, {}))),
    ]


if __name__ == "__main__":
    main()
