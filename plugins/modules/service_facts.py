#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_facts
short_description: Return what a project's hooks see, and what answers where it serves
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Looks, as the project's user, at what M(onetouch.deploy.server_facts) and M(onetouch.deploy.releases_info) do
    not know.
  - Asks the app once, like a heartbeat.
options:
  name:
    description: The name of the project.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  restart_file:
    description: As in M(onetouch.deploy.releases).
    type: str
    default: public/system/restart
  env_file:
    description: As in M(onetouch.deploy.releases).
    type: path
  bind:
    description: Where the app serves. Empty for a project without an app.
    type: str
    default: ''
  heartbeat:
    description: C(path) and C(host_header) of the request.
    type: dict
    default: {}
  units:
    description: Whether systemd runs procmon.
    type: bool
    default: true
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
  - module: onetouch.deploy.server_facts
"""

EXAMPLES = r"""
- name: Look at what serves
  onetouch.deploy.service_facts:
    name: blog
    path: /var/www/blog
    bind: 127.0.0.1:3001
"""

RETURN = r"""
facts:
  description: What was found. Of variables only the names.
  type: dict
  returned: success
  sample: {"answer": {"status": 200, "error": ""}}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ProjectPaths
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import service

SPEC = {
    "name": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "restart_file": {"type": "str", "default": "public/system/restart"},
    "env_file": {"type": "path"},
    "bind": {"type": "str", "default": ""},
    "heartbeat": {"type": "dict", "default": {}},
    "units": {"type": "bool", "default": True},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    given = module.params
    asked = service.Service(
        given["name"],
        ProjectPaths(Path(given["path"])),
        given["restart_file"],
        given["bind"],
        Path(given["env_file"]) if given["env_file"] else None,
        given["heartbeat"],
        given["units"],
    )
    module.exit_json(changed=False, facts=service.collect(asked))


if __name__ == "__main__":
    main()
