# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours, marks and the width of lines: what the terminal can show. Pure. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
MARKS = {
    "ok": ("✔", "+"),
    "failed": ("✘", "x"),
    "warning": ("!", "!"),
    "waiting": ("·", "."),
    "bar": ("│", "|"),
}
SPINNER = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
PLAIN_COLUMNS = 80


@dataclass
class Look:
    """How lines look; the size follows the terminal's.

    Without `live` nothing is drawn over, and what others have written is not wrapped. Without `output` what hooks write
    is not shown.
    """

    columns: int = PLAIN_COLUMNS
    rows: int = 24
    color: bool = False
    live: bool = False
    unicode: bool = True
    output: bool = True

    def paint(self, text: str, *names: str) -> str:
        """Return a text in colours."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(CODES[name] for name in names)}m{text}\x1b[0m"

    def mark(self, name: str) -> str:
        """Return the mark before a line, in its colour."""
        colors = {"ok": "green", "failed": "red", "warning": "yellow"}
        return self.paint(MARKS[name][not self.unicode], colors.get(name, "dim"))

    def spinner(self, seconds: float) -> str:
        """Return the mark of what is under way."""
        frames = SPINNER[not self.unicode]
        return self.paint(frames[int(seconds * 10) % len(frames)], "yellow")


def in_seconds(seconds: float) -> str:
    """Return a time as lines show it."""
    if seconds < 60:  # noqa: PLR2004  a minute
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"
