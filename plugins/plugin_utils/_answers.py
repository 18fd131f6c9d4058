# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules whose results are what a command has to show about a project on a server.

Private to this collection and to the command `deploy`.
"""

from __future__ import annotations

ANSWERS = frozenset(
    f"onetouch.deploy.{name}" for name in ("rollout", "restart", "project_status", "project_command", "doctor_report")
)
