# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permanent lines, and below them the lines of what is under way, drawn over. Private to this collection.

The cursor rests at the start of the live lines: what is written by others begins there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .look import Look

# Not from the first column on: where that is the first cell of a screen, tmux would move all of it to its history, at
# each change of a line.
ERASE_BELOW = "\x1b[K\x1b[C\x1b[J\r"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """Writes lines through `write`."""

    def __init__(self, write: Callable[[str], None], look: Look) -> None:
        self._write, self.look = write, look
        self._live: list[str] = []

    def print(self, lines: Sequence[str]) -> None:
        """Write permanent lines, above the live ones."""
        if lines:
            live = self._live
            self._replace([], before="".join(f"{line}\n" for line in lines))
            self.draw(live)

    def draw(self, lines: Sequence[str]) -> None:
        """Replace the live lines: as many as the screen is high, and no longer than it is wide."""
        if self.look.live and list(lines) != self._live:
            self._replace(list(lines)[: self.look.rows - 1])

    def clear(self) -> None:
        """Remove the live lines."""
        if self._live:
            self._replace([])

    def end(self) -> None:
        """Leave the terminal as it was, also in the middle of a change: what `^C` has left on the line goes too."""
        self._live = []
        if self.look.live:
            self._write(f"\r{ERASE_BELOW}{SHOW_CURSOR}")

    def _replace(self, live: list[str], before: str = "") -> None:
        erase = ERASE_BELOW if self._live else ""
        cursor = (HIDE_CURSOR if live else SHOW_CURSOR) if bool(live) != bool(self._live) else ""
        up = f"\x1b[{len(live) - 1}A" if len(live) > 1 else ""
        self._live = live
        self._write(erase + before + cursor + "\n".join(live) + ("\r" if live else "") + up)
