# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade in place: the installed procmon is tried, and then started in this process by execve(2)."""

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

CHECK_SECONDS = 30.0
TAIL_BYTES = 2000
SIGNALS = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM}
)
"""All that a master handles, those that it only ignores included: by default each would end it."""


def program() -> list[str]:
    """Return the command of this procmon, to be looked up again: a link that has moved on leads to the newer one."""
    script = Path(sys.argv[0])
    return [sys.executable, "-m", "procmon"] if script.name == "__main__.py" else [str(script.absolute())]


def block_signals() -> None:
    """Hold back signals until `unblock_signals`; an exec in between changes nothing about that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock_signals() -> None:
    """Take the signals that have come since."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


async def check(config: Path, handover: Handover, excluded_pids: set[int]) -> str:
    """Return why the installed procmon cannot read the configuration and the handover, or an empty text.

    The pid of its process is in `excluded_pids` as long as it runs, so that it is reaped here alone.
    """
    command = [*program(), "check-handover", str(config)]
    with memory_file(handover.to_json()) as state, memory_file(b"") as output:
        try:
            process = subprocess.Popen(
                command, stdin=state, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
            )
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        excluded_pids.add(process.pid)
        try:
            in_time = await _exited(process)
        finally:
            process.kill()
            status = process.wait()
            excluded_pids.discard(process.pid)
        return _check_result(" ".join(command), status if in_time else None, _tail(output))


async def _exited(process: subprocess.Popen[bytes]) -> bool:
    """Wait for its exit; return whether it came in time."""
    loop, exited = asyncio.get_running_loop(), asyncio.Event()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, exited.set)
    try:
        await asyncio.wait_for(exited.wait(), CHECK_SECONDS)
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    return True


def _tail(fd: int) -> str:
    return os.pread(fd, TAIL_BYTES, max(0, os.fstat(fd).st_size - TAIL_BYTES)).decode(errors="replace").strip()


def _check_result(command: str, status: int | None, output: str) -> str:
    if status is None:
        return f"{command} did not exit within {CHECK_SECONDS:g} s"
    return f"{command} exited with status {status}: {output}" if status else ""


def exec_upgrade(config: Path, handover: Handover) -> str:
    """Become the installed procmon; return why that failed."""
    with memory_file(handover.to_json()) as state_fd, _inheritable([*handover.descriptors(), state_fd]):
        command = [*program(), "run", str(config), "--handover-fd", str(state_fd)]
        block_signals()
        try:
            os.execv(command[0], command)  # noqa: S606 - no shell is meant
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        finally:
            unblock_signals()


def read_handover(state_fd: int) -> bytes:
    """Read a file that the procmon before this one has left behind, and close it."""
    with os.fdopen(state_fd, "rb") as state:
        return state.read()


def close_on_exec(descriptors: Sequence[int]) -> None:
    """Keep children from inheriting what was inheritable for the exec."""
    for fd in descriptors:
        os.set_inheritable(fd, False)


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[int]:
    """Yield the descriptor of a file in memory that contains `data`."""
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
        close_on_exec(descriptors)


class SignalPipe:
    """Keeps the signals that come before they are blocked for the exec: their numbers go to the next procmon.

    Also those that another thread takes after that: the mask is the main thread's alone.
    """

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
    """Return the numbers of the signals that a `SignalPipe` has kept, one per byte."""
    try:
        return os.read(reader, 4096)
    except BlockingIOError:
        return b""
