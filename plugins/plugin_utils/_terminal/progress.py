# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the progress file of a run while it grows. Private to this collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

# What one look may cost the process that draws.
READ_BYTES = 262144
# Each line begins with the name of its run.
HEAD_BYTES = 64


@dataclass
class ProgressFile:
    """The events of `run` in a file that others append to, and may replace."""

    path: Path
    run: str
    _head: bytes = b""
    _position: int = 0
    _rest: bytes = b""

    def read(self) -> list[dict[str, Any]]:
        """Return the events since the last time; none while there is no file that can be read."""
        try:
            with self.path.open("rb") as file:
                self._seek(file)
                data = self._rest + file.read(READ_BYTES)
                self._position = file.tell()
        except OSError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [event for event in map(parse, lines) if event.get("run") == self.run]

    def _seek(self, file: BinaryIO) -> None:
        """Go on where the last look has ended. A file that begins otherwise is another, of the same inode perhaps."""
        head = file.read(len(self._head) or HEAD_BYTES)
        if head != self._head:
            self._head, self._position, self._rest = head, 0, b""
        file.seek(self._position)


def parse(line: bytes) -> dict[str, Any]:
    """Return the event in a line; an empty one for what is none, such as a line that a full disk has cut."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
