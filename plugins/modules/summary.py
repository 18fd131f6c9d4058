# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Shows lines, or what every server runs, as plain text
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Prints its text to the terminal as it is, readable whatever the output callback.
  - Runs on the controller and asks no server.
options:
  lines:
    description:
      - Lines to show.
    type: list
    elements: str
  status:
    description:
      - Results of M(onetouch.deploy.releases_info) by host (V(project@server)), to show as one table.
    type: dict
  rollout:
    description:
      - Results of M(onetouch.deploy.releases) by host, to show what each runs after a rollout that was stopped.
      - A host without one was not reached.
    type: dict
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
  - module: onetouch.deploy.releases_info
"""

EXAMPLES = r"""
- name: Show where the app is
  onetouch.deploy.summary:
    lines:
      - "blog serves at http://127.0.0.1:3001"
"""

RETURN = r"""
lines:
  description: What was shown.
  type: list
  elements: str
  returned: success
  sample:
    - "PROJECT  SERVER  LIVE          AGE  SUBJECT           PROCMON      NOTE"
    - "blog     web1    0123456789ab  3h   Answer in French  serving 2/2"
"""
