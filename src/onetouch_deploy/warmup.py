# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh's shared connection, opened while Ansible starts."""

from __future__ import annotations

from collections.abc import Mapping

from .files import Found
from .plan import Plan


def environment(_plan: Plan, _found: Found) -> Mapping[str, str]:
    return {}
