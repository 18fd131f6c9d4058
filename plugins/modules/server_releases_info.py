#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_releases_info
short_description: Return what is live of several projects on one server
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbook C(status), through M(onetouch.deploy.project_status).
  - Is M(onetouch.deploy.releases_info) for each of several projects, in one remote execution.
options:
  projects:
    description: The options of M(onetouch.deploy.releases_info) for each project.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: As there.
        type: str
        required: true
      path:
        description: As there.
        type: path
        required: true
      status_file:
        description: As there.
        type: path
      ref:
        description: As there.
        type: str
      config:
        description: As there.
        type: dict
      writable_paths:
        description: As there.
        type: list
        elements: str
      fetch:
        description: As there.
        type: bool
        default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: There is nothing to show.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target systems that are supported.
seealso:
  - module: onetouch.deploy.releases_info
"""

EXAMPLES = r"""
- name: Ask what is live of two projects
  onetouch.deploy.server_releases_info:
    projects:
      - name: blog
        path: /var/www/blog
      - name: shop
        path: /var/www/shop
"""

RETURN = r"""
answers:
  description: What M(onetouch.deploy.releases_info) returns for each project, in the order of O(projects). Where it
    would fail there is only C(msg), the reason.
  returned: success
  type: list
  elements: dict
  sample:
    - name: blog
      commit: 1f0c9a2be6f3d1c6a1d1d0f7c1b0b8a1f2e3d4c5
    - msg: "shop: /var/www/shop is not a directory"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.question import argument_spec, ask


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """Return the facts about a project, or the reason why there are none."""
    try:
        return ask(given)
    except ReleaseError as error:
        return {"msg": f"{given['name']}: {error}"}


def main() -> None:
    """Run the module."""
    projects = {"type": "list", "elements": "dict", "required": True, "options": argument_spec()}
    module = AnsibleModule(argument_spec={"projects": projects}, supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    module.exit_json(changed=False, answers=[answer(given) for given in module.params["projects"]])


if __name__ == "__main__":
    main()
