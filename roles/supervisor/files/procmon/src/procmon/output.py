# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard error without ever waiting for whoever reads it."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Mapping

PIECE_BYTES = 4096
"""A pipe that poll(2) calls writable takes this much (PIPE_BUF) without blocking."""
TAIL_BYTES = 8192
PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
"""syslog's number of each level that is logged."""


class Output:
    """Writes to `fd` what it takes at once; counts and reports what it does not."""

    def __init__(self, fd: int = 2) -> None:
        self.fd = fd
        self.dropped = 0
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes) -> None:
        """Write `data`, or drop the rest of it from where the reader is too slow or gone."""
        if self.dropped and self._room():
            report = f"procmon: {self.dropped} bytes of output were dropped: their reader was too slow\n"
            self.dropped = 0
            self._put(report.encode())
        self._put(data)

    def _put(self, data: bytes) -> None:
        while data:
            try:
                written = os.write(self.fd, data[:PIECE_BYTES]) if self._room() else 0
            except OSError:
                written = 0
            if not written:
                self.dropped += len(data)
                return
            data = data[written:]

    def _room(self) -> bool:
        return any(event & select.POLLOUT for _fd, event in self._poll.poll(0))


def is_journal(fd: int, environment: Mapping[str, str]) -> bool:
    """Say whether `fd` leads straight to systemd's journal, as systemd has told in JOURNAL_STREAM."""
    found = os.fstat(fd)
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class OutputHandler(logging.Handler):
    """Sends log lines to an `Output`; with `journal` each says its level in the way that systemd reads."""

    def __init__(self, output: Output, *, journal: bool = False) -> None:
        super().__init__()
        self._output = output
        self._journal = journal
        self.setFormatter(logging.Formatter("procmon: %(levelname)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        lines = self.format(record).splitlines()
        level = f"<{PRIORITIES[record.levelno]}>" if self._journal and record.levelno in PRIORITIES else ""
        self._output.write("".join(f"{level}{line}\n" for line in lines).encode(errors="backslashreplace"))


class Tail:
    """The last 8 KiB of what was written."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, data: bytes) -> None:
        """Append `data`, forget what is too old."""
        self.data = (self.data + data)[-TAIL_BYTES:]

    def text(self) -> str:
        """Return it as text, from the first whole line on."""
        data = self.data
        if len(data) == TAIL_BYTES:
            data = data.partition(b"\n")[2] or data
        return data.decode(errors="replace").strip()
