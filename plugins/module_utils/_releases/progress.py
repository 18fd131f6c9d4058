# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The progress file: what a run does, as JSON lines that the caller can read while it goes on.

It is for people who watch. A file that cannot be written, on a full disk for example, ends the progress and not the
run.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .printable import printable

# How much the output of one run's hooks may add to the file.
MAX_OUTPUT_CHARACTERS = 1_000_000
READ_BYTES = 65536
# Of one hook's output the result has the end.
TAIL_CHARACTERS = 8000


@dataclass
class Progress:
    """The progress file of the run that its reader calls `run`; without that name none is written."""

    run: str = ""
    descriptor: int | None = None

    def open(self, path: Path) -> None:
        """Begin a new file: a reader of the one before keeps that. To be called by the holder of the project's lock."""
        if not self.run:
            return
        try:
            path.unlink(missing_ok=True)
            self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            self.close()

    def write(self, event: Mapping[str, Any]) -> None:
        """Append an event."""
        if self.descriptor is None:
            return
        line = json.dumps({"run": self.run, **event}) + "\n"
        try:
            written = os.write(self.descriptor, line.encode())
        except OSError:
            written = 0
        if written < len(line):
            # On a disk that has become full the line is cut: nothing may follow it.
            self.close()

    def close(self) -> None:
        """Write nothing more. The file stays until the next run: its reader may not be at the end yet."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


@dataclass
class HookOutput:
    """What the hook `name` writes to its log from byte `position` on, copied to the progress file as it comes."""

    progress: Progress
    name: str
    log: Path
    position: int
    characters: int = 0
    tail: str = ""
    _decoder: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    def copy(self) -> None:
        """Copy what has been written since. The log of a hook that removed it is at its end."""
        if not self.progress.run:
            return
        try:
            with self.log.open("rb") as file:
                file.seek(self.position)
                while data := file.read(READ_BYTES):
                    self.position += len(data)
                    self._write(printable(self._decoder.decode(data)))
        except OSError:
            return

    def result(self) -> dict[str, Any]:
        """Return the end of the output, and of how many characters in all, for a reader that has missed some."""
        return {"name": self.name, "text": self.tail, "characters": self.characters}

    def _write(self, text: str) -> None:
        if self.characters < MAX_OUTPUT_CHARACTERS:
            self.progress.write({"output": text, "phase": self.name})
        self.characters += len(text)
        self.tail = (self.tail + text)[-TAIL_CHARACTERS:]
