# SPDX-License-Identifier: GPL-3.0-or-later
"""The procmon that is to take this one's place: trying it, and becoming it without leaving the process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .handover import Handover
from .reactor import Reactor

PREFLIGHT_SECONDS = 30.0
TAIL_BYTES = 2000
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2})


def program() -> list[str]:
    """Return the command of this procmon, to be looked up anew: where a link has moved on, it starts the newer one."""
    script = Path(sys.argv[0])
    return [sys.executable, "-m", "procmon"] if script.name == "__main__.py" else [str(script.absolute())]


def block_signals() -> None:
    """Let signals wait until `unblock_signals`; an exec in between changes nothing about that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock_signals() -> None:
    """Take the signals that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


async def preflight(reactor: Reactor, config: Path, handover: Handover, spared: set[int]) -> str:
    """Have the successor read the configuration and what it would be handed; return why it cannot, or nothing.

    The pid of its process is in `spared` as long as it runs, so that nobody else reaps it.
    """
    command = [*program(), "adopt-check", str(config)]
    with _memory_file(handover.to_json()) as state, _memory_file(b"") as said:
        try:
            process = subprocess.Popen(
                command, stdin=state, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        spared.add(process.pid)
        try:
            in_time = await _ended(reactor, process)
        finally:
            process.kill()
            status = process.wait()
            spared.discard(process.pid)
        return _judge(" ".join(command), status if in_time else None, _tail(said))


async def _ended(reactor: Reactor, process: subprocess.Popen[bytes]) -> bool:
    """Wait for its end; say whether it came in time."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return await reactor.ready(time.monotonic() + PREFLIGHT_SECONDS, pidfd)
    finally:
        os.close(pidfd)


def _tail(fd: int) -> str:
    return os.pread(fd, TAIL_BYTES, max(0, os.fstat(fd).st_size - TAIL_BYTES)).decode(errors="replace").strip()


def _judge(command: str, status: int | None, said: str) -> str:
    if status is None:
        return f"{command} has not ended within {PREFLIGHT_SECONDS:g} s"
    return f"{command} ended with exit status {status}: {said}" if status else ""


def replace(config: Path, handover: Handover) -> str:
    """Become the successor; return why that failed."""
    with _memory_file(handover.to_json()) as state_fd, _inheritable([*handover.descriptors(), state_fd]):
        command = [*program(), "run", str(config), "--adopt", str(state_fd)]
        block_signals()
        try:
            os.execv(command[0], command)  # noqa: S606 - no shell is meant
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        finally:
            unblock_signals()


def read_handover(state_fd: int) -> bytes:
    """Read what `replace` has left behind."""
    with os.fdopen(state_fd, "rb") as state:
        return state.read()


def keep_to_ourselves(descriptors: Sequence[int]) -> None:
    """Let no child inherit what was inheritable for the exec."""
    for fd in descriptors:
        os.set_inheritable(fd, False)


@contextlib.contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("procmon")
    try:
        with os.fdopen(os.dup(fd), "wb") as state:
            state.write(data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _inheritable(descriptors: Sequence[int]) -> Iterator[None]:
    try:
        for fd in descriptors:
            os.set_inheritable(fd, True)
        yield
    finally:
        keep_to_ourselves(descriptors)


class SignalPipe:
    """Keeps the signals that come before they are blocked for the exec: the successor finds their numbers here."""

    def __enter__(self) -> SignalPipe:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._writer)
        os.close(self.reader)


def read_signals(reader: int) -> bytes:
    """Return the numbers of the signals that a `SignalPipe` has kept, one a byte."""
    try:
        return os.read(reader, 4096)
    except BlockingIOError:
        return b""
