# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error that ends a command before it begins, as people read it. Private to this collection."""

from __future__ import annotations

import os
import shutil
import sys

from ansible import constants
from ansible.utils.display import Display

from .text import hang

PREFIX = "[ERROR]: "
# Set by the command `deploy` for --json.
READ_BY_A_PROGRAM = "ONETOUCH_DEPLOY_ERRORS"


def show_error(text: str) -> None:
    """Show an error as Ansible does; on a terminal in lines that fit, unless a program reads Ansible's errors."""
    if READ_BY_A_PROGRAM in os.environ:
        Display().error(text, wrap_text=False)
        return
    columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    lines = f"{PREFIX}{text}".split("\n")
    shown = [part for line in lines for part in (hang(line, columns) if columns else [line])]
    color = constants.config.get_config_value("COLOR_ERROR")  # type: ignore[no-untyped-call]  # Ansible ships few types
    Display().display("\n".join(shown), color=color, stderr=True)
