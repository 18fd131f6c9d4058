# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_command
short_description: Checks what a playbook of this collection was asked for
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbooks of this collection.
  - Fails when a variable given with C(-e) is none of the playbook's, and when a project is not in the inventory.
    Ansible would ignore the first and only warn about the second.
  - Runs on the controller and asks no server.
  - A variable is also accepted when the roles know it as a host variable, when its name starts with C(ansible_),
    C(awx_) or C(tower_), when a template in the inventory uses it, and when the variable C(project_own_variables) lists
    it.
options:
  command:
    description: The playbook that was started.
    type: str
    required: true
    choices: [setup, deploy, revert, restart, status, history, exec, remove, init, demo]
  project:
    description:
      - The names of the projects, separated by commas, or V(all).
      - Without it only the variables are checked.
    type: str
attributes:
  check_mode:
    description: Changes nothing, so that check mode is like any other.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Check what was asked
  onetouch.deploy.check_command:
    command: deploy
    project: "{{ project | default('') }}"
"""

RETURN = r""" # """
