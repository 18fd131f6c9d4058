#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bind_check
short_description: Fails when a service could not listen on its address
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Tries the address before anything that serves is stopped for it, and names who has it.
options:
  name:
    description: The name of the project, for messages.
    type: str
    required: true
  bind:
    description: The address, C(host:port), C([v6]:port) or C(unix:/path).
    type: str
    required: true
  units:
    description: The units of systemd that may have the address already.
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
- name: Check that the address is free
  onetouch.deploy.bind_check:
    name: blog
    bind: 127.0.0.1:3001
    units: [procmon@blog.socket, procmon@blog.service]
"""

RETURN = r"""# """

import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import addresses


def main() -> None:
    """Try the address."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "name": {"type": "str", "required": True},
            "bind": {"type": "str", "required": True},
            "units": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    name, bind, units = (module.params[key] for key in ("name", "bind", "units"))
    found = addresses.problem(bind, units, socket_units())
    if found:
        advice = "Free it, or set `bind` to another address. What serves was not changed"
        module.fail_json(msg=f"{name}: bind {bind} {found}. {advice}")
    module.exit_json(changed=False)


def socket_units() -> dict[str, str]:
    """Return the unit of each address that systemd listens on."""
    if not shutil.which("systemctl"):
        return {}
    listed = run_command(["systemctl", "list-sockets", "--full", "--no-legend", "--no-pager"], env={"LC_ALL": "C"})
    return addresses.parse_units(listed.out)


if __name__ == "__main__":
    main()
