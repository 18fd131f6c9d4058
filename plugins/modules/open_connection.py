# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: open_connection
short_description: Opens the ssh connection that several hosts of a play share
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the role P(onetouch.deploy.project#role).
  - ssh shares a connection that is open already. Hosts that start together without one would each log in; with this
    task the first of those with the same login opens it, and the others use it.
  - Does nothing on a host that shares its login with no other, and with another connection than ssh.
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
- name: Open the connection that several hosts share
  onetouch.deploy.open_connection:
"""

RETURN = r""" # """
