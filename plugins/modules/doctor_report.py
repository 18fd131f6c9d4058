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
options:
  verdict:
    description:
      - Show nothing, and fail where something on the host of the task needs a person.
      - All hosts (V(project@server)) of the play are shown otherwise.
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
- name: Report what is right, and what to do
  onetouch.deploy.doctor_report:
  run_once: true

- name: Fail where something needs a person
  onetouch.deploy.doctor_report:
    verdict: true
"""

RETURN = r"""
lines:
  description: The report, as it is shown.
  type: list
  elements: str
  returned: without verdict
  sample: ["blog@web1", "  ok  clock: 0 s from this machine's"]
findings:
  description: What was found on the host, each with C(text) and C(is_right), which is null for what is neither.
  type: list
  elements: dict
  returned: with verdict
  sample: [{"text": "clock: 0 s from this machine's", "is_right": true}]
msg:
  description: What needs a person.
  type: str
  returned: failure
  sample: "live: not set up. Run setup"
"""
