#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_report
short_description: Print what is right about projects, and what to do about the rest
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Reads what M(onetouch.deploy.server_facts), M(onetouch.deploy.project_status) and
    M(onetouch.deploy.service_facts) have registered on the hosts of the play.
  - Runs on the controller and asks no server.
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
- name: Report what is right, and what to do
  onetouch.deploy.doctor_report:
  run_once: true
"""

RETURN = r"""
lines:
  description: The report, as it is shown.
  type: list
  elements: str
  returned: always
  sample: ["blog@web1", "  ok  clock: 0 s from this machine's"]
findings:
  description: Of each host its findings, each with C(text) and C(is_right), which is null for what is neither.
  type: dict
  returned: always
  sample: {"blog@web1": [{"text": "clock: 0 s from this machine's", "is_right": true}]}
"""
