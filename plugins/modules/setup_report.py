#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: setup_report
short_description: Report what keeps setup from its end, or that it came to it
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Runs on the controller and asks no server.
options:
  stage:
    description:
      - V(find) decides which obstacles one host has. V(obstacles) fails with those of all hosts of the play. V(end)
        prints which projects are ready, and fails where a deploy key has to be added first.
    type: str
    choices: [find, obstacles, end]
    required: true
  about:
    description: The settings of the project, as for M(onetouch.deploy.server_facts).
    type: dict
  system:
    description: What M(onetouch.deploy.server_facts) has returned as root.
    type: dict
  own:
    description: What M(onetouch.deploy.server_facts) has returned as the project's user.
    type: dict
  begun:
    description: Whether setup has changed something already.
    type: bool
    default: false
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
seealso:
  - module: onetouch.deploy.server_facts
"""

EXAMPLES = r"""
- name: Report which projects are ready
  onetouch.deploy.setup_report:
    stage: end
  run_once: true
"""

RETURN = r"""
lines:
  description: One line for each project that is ready, as it is shown.
  type: list
  elements: str
  returned: with O(stage=end)
  sample: ["blog is ready on web1; next: deploy blog"]
obstacles:
  description: Each with C(found) and C(remedy).
  type: list
  elements: dict
  returned: with O(stage=find), and with O(stage=obstacles) where there is none
  sample: [{"found": "the file system of /var/www/blog is read-only", "remedy": "Mount it writable"}]
about:
  description: O(about), with how Ansible logs in, and without the secrets of the repository's address.
  type: dict
  returned: with O(stage=find)
  sample: {"name": "blog", "user": "deploy", "port": "", "key": ""}
"""
