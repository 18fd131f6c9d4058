# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes, each with a control channel and a pipe for its output: watched, signalled, reaped.

The end of a child comes in two steps. When the process has exited, its last messages and output are read and the exit
is reported. Helpers that it leaves in its process group (such as multiprocessing's resource tracker, which removes
shared memory) then have `HELPER_SECONDS` to end by themselves; what is left is killed. Only then is the child reaped:
until then no other process can get its pid, so that the group is certainly its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output import Output, Tail

DATAGRAM_BYTES = 1 << 18
READ_BYTES = 65536
LAST_READS = 16
"""How often a process's output is read once it has exited: its helpers may go on writing for as long as they live."""
HELPER_SECONDS = 2.0
HELPER_POLL_SECONDS = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STAT_STATE, STAT_GROUP = 0, 2

log = logging.getLogger("procmon")


@dataclass(eq=False)
class Child:
    """A process and the master's ends of what connects them. `started` is seconds since the epoch."""

    pid: int
    control: socket.socket
    output_fd: int
    pidfd: int
    started: float = field(default_factory=time.time)
    tail: Tail = field(default_factory=Tail)

    def rss_bytes(self) -> int:
        """Return its resident memory; 0 when it has just exited."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def signal(self, number: int) -> None:
        """Send a signal to it alone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def helpers(self) -> list[int]:
        """Return the processes of its group, itself excluded."""
        return [pid for pid in group_members(self.pid) if pid != self.pid]

    def kill_group(self) -> None:
        """Send SIGKILL to its whole process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Nothing is left of it, or what is left runs as another user and is not ours to end.
            os.killpg(self.pid, signal.SIGKILL)

    def exit_status(self) -> int:
        """Return how it exited, as `Popen.returncode` does, without reaping it."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if found is None:
            return 0
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def send(self, message: Mapping[str, Any], fds: list[int] | None = None) -> bool:
        """Send it a message, and open files with it; False when it can no longer read that."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], fds or [])
        except BlockingIOError:
            # It has not read for so long that the channel is full: it would never learn what to do.
            self.signal(signal.SIGKILL)
            return False
        except OSError:
            # Its end is closed: it is about to exit.
            return False
        return True


class Children:
    """All children that are watched. Their output goes to `output` and into their tails."""

    def __init__(self, output: Output, loop: asyncio.AbstractEventLoop) -> None:
        self.pids: set[int] = set()
        self._output = output
        self._loop = loop
        self._paused: set[Child] = set()
        self._writing: set[Child] = set()
        self._cleanups: set[asyncio.Task[None]] = set()
        output.on_drained = self._resume

    @property
    def cleaning(self) -> bool:
        """Return whether any process that has exited still waits for its helpers."""
        return bool(self._cleanups)

    async def cleaned_up(self) -> None:
        """Wait until none does."""
        while self._cleanups:
            await asyncio.wait(self._cleanups)

    def watch(self, child: Child, on_message: Callable[[bytes], None], on_exit: Callable[[str], None]) -> None:
        """Call `on_message` with each datagram that it sends, and then `on_exit` with how it exited."""
        child.control.setblocking(False)
        os.set_blocking(child.output_fd, False)
        self.pids.add(child.pid)
        self._writing.add(child)
        self._loop.add_reader(child.control, self._read_control, child, on_message)
        self._loop.add_reader(child.output_fd, self._read_output, child)
        self._loop.add_reader(child.pidfd, self._exited, child, on_message, on_exit)

    def _exited(self, child: Child, on_message: Callable[[bytes], None], on_exit: Callable[[str], None]) -> None:
        self._loop.remove_reader(child.pidfd)
        # The end of a process can be seen before its last messages.
        self._read_control(child, on_message)
        for _read in range(LAST_READS):
            if not self._read_output(child):
                break
        how = describe_exit(child.exit_status())
        self._loop.remove_reader(child.control)
        child.control.close()
        cleanup = self._loop.create_task(self._clean_up(child))
        self._cleanups.add(cleanup)
        cleanup.add_done_callback(self._cleanups.discard)
        on_exit(how)

    async def _clean_up(self, child: Child) -> None:
        """Wait a limited time for its helpers and for others that still write to its output; then reap it."""
        end = self._loop.time() + HELPER_SECONDS
        helpers = child.helpers()
        while (helpers or child in self._writing) and self._loop.time() < end:
            await asyncio.sleep(HELPER_POLL_SECONDS)
            # To look for others than those that are known takes much longer.
            helpers = helpers and ([pid for pid in helpers if is_member(pid, child.pid)] or child.helpers())
        if helpers and (helpers := child.helpers()):
            log.warning("killing %s, left behind by the worker with pid %d", describe(helpers), child.pid)
            child.kill_group()
        self._read_output(child)
        self._close_output(child)
        os.close(child.pidfd)
        self.pids.discard(child.pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child.pid, 0)

    def _read_control(self, child: Child, on_message: Callable[[bytes], None]) -> None:
        while True:
            try:
                data = child.control.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # It exited before it had read our last command. Linux reports that once, ahead of its last messages.
                continue
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(child.control)
                return
            on_message(data)

    def _read_output(self, child: Child) -> bool:
        """Take one piece, so that a process that writes without a pause does not keep the loop from the others."""
        if child not in self._writing:
            return False
        try:
            data = os.read(child.output_fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_output(child)
            return False
        child.tail.add(data)
        self._output.write(data)
        if self._output.full:
            self._loop.remove_reader(child.output_fd)
            self._paused.add(child)
        return True

    def _resume(self) -> None:
        """Read again what had to wait for the reader of our own output."""
        paused, self._paused = self._paused & self._writing, set()
        for child in paused:
            self._loop.add_reader(child.output_fd, self._read_output, child)

    def _close_output(self, child: Child) -> None:
        if child in self._writing:
            self._writing.discard(child)
            self._loop.remove_reader(child.output_fd)
            os.close(child.output_fd)


def group_members(group: int) -> list[int]:
    """Return the processes of a process group, zombies excluded."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and is_member(int(name), group)]  # noqa: PTH208 - only the names


def is_member(pid: int, group: int) -> bool:
    """Return whether a process is one of a process group, and no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[STAT_GROUP]) == group and fields[STAT_STATE] not in "ZX"
    except (OSError, IndexError):
        return False


def describe(pids: list[int]) -> str:
    """Name processes by pid and command line, for the log."""
    return ", ".join(f"pid {pid} ({_command(pid)})" for pid in pids)


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "exited"
    return " ".join(words).strip()[:200]


def describe_exit(status: int) -> str:
    """Put a status as of `Popen.returncode` into words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
