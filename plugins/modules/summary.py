# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Show lines, or results of this collection's modules, as plain text
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Prints its text to the terminal as it is, readable with every output callback.
  - Runs on the controller and asks no server.
options:
  lines:
    description:
      - Lines to show.
    type: list
    elements: str
  status:
    description:
      - The name of the variable that holds the result of M(onetouch.deploy.releases_info) on each host.
      - All hosts (V(project@server)) that have one are shown in one table.
    type: str
  verdict:
    description:
      - The name of the variable that holds the result of M(onetouch.deploy.releases_info) on each host.
      - Shows nothing. The host has failed when something there needs attention, and is unreachable when it could not be
        asked, so that the exit code of the playbook shows what the table has.
    type: str
    version_added: 0.2.0
  rollout:
    description:
      - The name of the variable that holds the result of M(onetouch.deploy.releases) on each host.
      - All hosts of the play are shown with what each runs, when one of them failed.
      - A host without a result was not reached.
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
seealso:
  - module: onetouch.deploy.releases
  - module: onetouch.deploy.releases_info
"""

EXAMPLES = r"""
- name: Show where the app is
  onetouch.deploy.summary:
    lines:
      - "blog serves at http://127.0.0.1:3001"

- name: Show every project on every server
  onetouch.deploy.summary:
    status: project_status
"""

RETURN = r"""
lines:
  description: What was shown.
  type: list
  elements: str
  returned: success
  sample:
    - "PROJECT  SERVER  LIVE          LIVE SINCE  SUBJECT           PROCMON      NOTE"
    - "blog     web1    0123456789ab  3h ago      Answer in French  serving 2/2"
"""
