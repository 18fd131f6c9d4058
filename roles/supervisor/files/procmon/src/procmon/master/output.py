# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard error: all that the workers and procmon write, without ever blocking the master.

What the reader does not take at once is kept, up to `FULL_BYTES`; beyond that the workers' pipes are not read until
there is room, as if they wrote to the slow reader themselves, for `FULL_SECONDS` at most. A reader that takes nothing
at all has `STALL_SECONDS`. Then output is dropped, and counted, until it reads again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import select
import time
from collections.abc import Callable, Mapping

PIECE_BYTES = 4096
"""A pipe that poll(2) calls writable takes this much (PIPE_BUF) without blocking."""
MAX_PIECES = 64
"""How many pieces are written in one turn of the loop."""
FULL_BYTES = 1 << 20
STALL_SECONDS = 1.0
FULL_SECONDS = 5.0
"""How long the workers may wait for a reader that reads, but too slowly: requests wait with them."""
CLOSE_SECONDS = 5.0
"""How long the end of procmon may wait for a reader that still takes some."""
TAIL_BYTES = 8192
PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
"""syslog's number of each level that is logged."""


class Output:
    """Writes to `fd`. `on_drained` is called when there is room again after it was full."""

    def __init__(self, fd: int = 2) -> None:
        self.fd = fd
        self.dropped = 0
        self.on_drained: Callable[[], None] = _do_nothing
        self._buffer = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._progress_at = time.monotonic()
        self._full_since: float | None = None
        self._stalled = False
        self._timer: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    @property
    def full(self) -> bool:
        """Return whether writers should wait."""
        return len(self._buffer) >= FULL_BYTES

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the running loop for what cannot be written at once."""
        self._loop = loop

    def write(self, data: bytes) -> None:
        """Write `data` now or soon."""
        if not self._buffer:
            self._progress_at = time.monotonic()
        self._buffer += data
        self._write_pieces()
        self._note_fullness()
        if self._buffer and self._loop is not None:
            self._wait_for_room(self._loop)
        elif self._buffer:
            self.flush()

    def _note_fullness(self) -> None:
        """Note since when writers wait; a reader that keeps up empties half of it now and then."""
        if len(self._buffer) <= FULL_BYTES // 2:
            self._full_since = None
        elif self.full and self._full_since is None:
            self._full_since = time.monotonic()

    def flush(self, seconds: float = math.inf) -> None:
        """Write what is kept, as long as the reader takes some of it now and then, and for `seconds` at most."""
        end = time.monotonic() + seconds
        while self._buffer and not self._give_up() and time.monotonic() < end:
            self._poll.poll(50)
            self._write_pieces()

    def close(self) -> None:
        """Write what is kept, for a limited time; the loop is gone."""
        self._loop = None
        self.flush(CLOSE_SECONDS)

    def unwritten(self) -> bytes:
        """Return what is kept, for the procmon that follows this one in the same process."""
        return (self._dropped_report() if self.dropped else b"") + bytes(self._buffer)

    def _wait_for_room(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            return
        try:
            loop.add_writer(self.fd, self._on_room)
        except OSError:
            # A regular file cannot be watched, and takes everything.
            self.flush()
        else:
            self._timer = loop.call_later(STALL_SECONDS, self._on_timer)

    def _on_room(self) -> None:
        self._write_pieces()
        self._note_fullness()
        if not self._buffer:
            self._stop_waiting()
        if not self.full:
            self.on_drained()

    def _on_timer(self) -> None:
        self._timer = None
        if self._give_up():
            self._stop_waiting()
            self.on_drained()
        elif self._buffer and self._loop is not None:
            self._timer = self._loop.call_later(STALL_SECONDS, self._on_timer)

    def _stop_waiting(self) -> None:
        if self._loop is not None:
            self._loop.remove_writer(self.fd)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> bool:
        """Drop everything once the reader has taken nothing, or the writers have waited, for too long."""
        now = time.monotonic()
        waited = self._full_since is not None and now - self._full_since >= FULL_SECONDS
        self._stalled = self._stalled or waited or now - self._progress_at >= STALL_SECONDS
        if self._stalled:
            self.dropped += len(self._buffer)
            self._buffer.clear()
            self._full_since = None
        return self._stalled

    def _write_pieces(self) -> None:
        for _piece in range(MAX_PIECES):
            if not self._buffer or not self._put():
                break
        if self._stalled:
            self._give_up()

    def _put(self) -> bool:
        """Write one piece; False where the reader takes none now."""
        try:
            if not self._has_room():
                return False
            if self.dropped:
                self._report_dropped()
            written = os.write(self.fd, self._buffer[:PIECE_BYTES])
        except OSError:
            # Its reader has gone, or the disk is full: waiting would not help.
            self._stalled = True
            return False
        del self._buffer[:written]
        self._progress_at, self._stalled = time.monotonic(), False
        return True

    def _report_dropped(self) -> None:
        self._buffer[:0] = self._dropped_report()
        self.dropped = 0

    def _dropped_report(self) -> bytes:
        return f"procmon: WARNING: dropped {self.dropped} bytes of output: its reader is too slow\n".encode()

    def _has_room(self) -> bool:
        """Return whether one piece can be written. Raises OSError when the reader has gone."""
        events = dict(self._poll.poll(0)).get(self.fd, 0)
        if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise BrokenPipeError
        return bool(events & select.POLLOUT)


def _do_nothing() -> None:
    """Nothing waits for room yet."""


def is_journal(fd: int, environment: Mapping[str, str]) -> bool:
    """Return whether `fd` leads straight to systemd's journal, which systemd announces in JOURNAL_STREAM."""
    found = os.fstat(fd)
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class OutputHandler(logging.Handler):
    """Sends log lines to an `Output`; with `journal` each states its level in the form that systemd reads."""

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
    """The last 8 KiB of some output."""

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
