# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: control_repository
short_description: Write a control repository
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbook C(init). Its options may change in any release.
  - Runs on the controller, and writes its files. A directory with anything but C(.git) in it is refused.
options:
  directory:
    description: Where it is to be. It is created.
    type: path
    required: true
  templates:
    description: The directory with the files that are copied.
    type: path
    required: true
  deploy_conf:
    description: The original script's configuration, whose projects are taken over.
    type: path
    default: ''
attributes:
  check_mode:
    description: Writes nothing, and returns what it would write.
    support: full
  diff_mode:
    description: All files are new.
    support: none
  idempotent:
    description: The second time the directory is not empty.
    support: none
"""

EXAMPLES = r"""
- name: Write a control repository
  onetouch.deploy.control_repository:
    directory: /home/me/deploys
    templates: "{{ playbook_dir }}/files/init"
    deploy_conf: /home/me/deploy.conf
"""

RETURN = r"""
lines:
  description: What was written, and the commands that come next.
  returned: success
  type: list
  elements: str
  sample: ["/home/me/deploys is a control repository: inventory/projects.yml has the projects of deploy.conf."]
"""
