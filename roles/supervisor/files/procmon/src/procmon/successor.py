# SPDX-License-Identifier: GPL-3.0-or-later
"""The procmon that is to take this one's place: trying it, and becoming it without leaving the process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .handover import Handover

PREFLIGHT_SECONDS = 30.0
TAIL_CHARACTERS = 2000
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


async def preflight(config: Path, handover: Handover, spared: set[int]) -> str:
    """Have the successor read the configuration and what it would be handed; return why it cannot, or nothing.

    The pid of its process is in `spared` as long as it runs, so that nobody else reaps it.
    """
    command = [*program(), "adopt-check", str(config)]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}"
    spared.add(process.pid)
    try:
        return await asyncio.to_thread(_judge, process, " ".join(command), handover.to_json())
    finally:
        spared.discard(process.pid)


def _judge(process: subprocess.Popen[bytes], command: str, state: bytes) -> str:
    with process:
        try:
            said = process.communicate(state, PREFLIGHT_SECONDS)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return f"{command} has not ended within {PREFLIGHT_SECONDS:g} s"
    if process.returncode == 0:
        return ""
    tail = said.decode(errors="replace").strip()[-TAIL_CHARACTERS:]
    return f"{command} ended with exit status {process.returncode}: {tail}"


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
    """Keeps the signals of the last moments: whichever thread takes one, the successor finds its number here."""

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
