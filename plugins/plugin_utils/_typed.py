# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as people type them, for messages that name the next one. Private to this collection."""

from __future__ import annotations

import os

# Set by the command `deploy` for the Ansible that it starts.
PROGRAM = "ONETOUCH_DEPLOY_TYPED"


def typed(command: str, project: str = "") -> str:
    """Return what runs a command, for a project or for all: words of `deploy` where that runs this, or a playbook."""
    program = os.environ.get(PROGRAM)
    if not program:
        return f"ansible-playbook {command}.yml" + (f" -e project={project}" if project else "")
    return " ".join(filter(None, [program, project, "" if command == "deploy" else command]))
