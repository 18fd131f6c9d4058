# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A question of Ansible's on the terminal that is open when a signal is to end it.

A thread of Ansible reads the answer, and Ansible waits for that thread before it ends: a key at a time until Enter or
Ctrl-C, also from a terminal that has gone.
"""

from __future__ import annotations

import os
import termios
from contextlib import suppress
from functools import wraps
from typing import Any

from .output import STDIN

CTRL_C = b"\x03"


class Question:
    """The terminal as this process has found it, if it has one."""

    def __init__(self) -> None:
        self._settings = termios.tcgetattr(STDIN) if os.isatty(STDIN) else None
        self._terminal = os.dup(STDIN) if self._settings else STDIN
        self.is_open = False

    def notice(self) -> None:
        """Keep whether Ansible has asked, and waits for the answer."""
        from ansible.utils.display import Display  # noqa: PLC0415  the slow part

        ansibles = Display.prompt_until

        @wraps(ansibles)
        def prompt_until(*args: Any, **options: Any) -> Any:  # noqa: ANN401  those of Ansible
            self.is_open = True
            try:
                return ansibles(*args, **options)
            finally:
                self.is_open = False

        setattr(Display, ansibles.__name__, prompt_until)

    def interrupt(self) -> None:
        """Answer a question that is open with Ctrl-C."""
        if self._settings:
            reading, writing = os.pipe()
            os.write(writing, CTRL_C)
            os.dup2(reading, STDIN)
            for descriptor in (reading, writing):
                os.close(descriptor)

    def restore(self) -> None:
        """Set the terminal as it was: while a question is open, it does not show what is typed."""
        # The terminal may have gone.
        with suppress(termios.error):
            if self._settings:
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._settings)
