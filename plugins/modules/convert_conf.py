# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: convert_conf
short_description: Returns a deploy.conf in the form of projects.yml
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbook C(init). Its options may change in any release.
  - Runs on the controller, and reads its files.
options:
  path:
    description: The original script's configuration.
    type: path
    required: true
  directory:
    description: Where projects.yml will be. Relative paths in it start there.
    type: path
    required: true
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
- name: Read the original's file
  onetouch.deploy.convert_conf:
    path: /home/me/deploy.conf
    directory: /home/me/deploys/inventory
"""

RETURN = r"""
content:
  description: The text of projects.yml.
  returned: success
  type: str
  sample: "plugin: onetouch.deploy.projects\n"
projects:
  description: The names of the projects, in their order.
  returned: success
  type: list
  elements: str
  sample: [blog]
"""
