# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of ours, each with a control channel and a pipe for what it writes: started, heard, signalled, reaped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .events import Release
from .launch import worker_argv
from .output import Output, Tail
from .reactor import Reactor

DATAGRAM_BYTES = 1 << 18
READ_BYTES = 65536
LAST_READS = 16
"""How often a process's output is read once it has ended: what it left goes on writing for as long as it lives."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Inherited:
    """A child that this procmon has not started itself: the one before it has, or a zygote that has left it to us."""

    pid: int

    def wait(self) -> int:
        """Reap it; return its status as `Popen.wait` does."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@dataclass(eq=False)
class Child:
    """A process and the master's ends of what connects them. `started` is seconds since the epoch."""

    process: subprocess.Popen[bytes] | Inherited
    control: socket.socket
    output_fd: int
    pidfd: int
    started: float = field(default_factory=time.time)
    tail: Tail = field(default_factory=Tail)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def rss_bytes(self) -> int:
        """Return its resident memory; 0 when it has just gone."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as statm:  # noqa: PTH123 - each second for each worker
                return int(statm.read().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def abort(self) -> None:
        """Send SIGABRT to it alone."""
        signal.pidfd_send_signal(self.pidfd, signal.SIGABRT)

    def kill_group(self) -> None:
        """Send SIGKILL to it and to all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Nothing is left of it, or what is left runs as somebody else and is not ours to end.
            os.killpg(self.pid, signal.SIGKILL)

    def send(self, message: Mapping[str, Any], fds: list[int] | None = None) -> bool:
        """Send it a message, and open files with it; False when it cannot hear that any more."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], fds or [])
        except BlockingIOError:
            # It has not read for so long that the channel is full: it would never learn what to do.
            self.kill_group()
            return False
        except OSError:
            # Its end is closed: it is about to be reaped.
            return False
        return True


class Children:
    """All children that are followed. What they write goes to `output` and into their tails."""

    def __init__(self, output: Output, reactor: Reactor) -> None:
        self.pids: set[int] = set()
        self._output = output
        self._reactor = reactor

    def follow(self, child: Child, hear: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        """Give each datagram that it sends to `hear`, and to `ended` how it ended, after the last of these."""
        child.control.setblocking(False)
        os.set_blocking(child.output_fd, False)
        self.pids.add(child.pid)
        self._reactor.on_ready(child.control, lambda: self._read_control(child, hear))
        self._reactor.on_ready(child.output_fd, lambda: self._read_output(child))
        self._reactor.on_ready(child.pidfd, lambda: self._reap(child, hear, ended))

    def _reap(self, child: Child, hear: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        # The end of a process can be seen before the last that it said.
        self._read_control(child, hear)
        for _read in range(LAST_READS):
            if not self._read_output(child):
                break
        # Until it is reaped nobody else can have its pid, so that the group is certainly its own.
        child.kill_group()
        status = child.process.wait()
        for file in (child.control, child.output_fd, child.pidfd):
            self._reactor.forget(file)
        child.control.close()
        os.close(child.output_fd)
        os.close(child.pidfd)
        self.pids.discard(child.pid)
        ended(describe_exit(status))

    def _read_control(self, child: Child, hear: Callable[[bytes], None]) -> None:
        while True:
            try:
                data = child.control.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # It ended before it had read our last order. Linux says so once, ahead of the last that it said.
                continue
            except OSError:
                data = b""
            if not data:
                self._reactor.forget(child.control)
                return
            hear(data)

    def _read_output(self, child: Child) -> bool:
        """Take one piece, so that a process that writes without a pause keeps the loop from nobody else."""
        try:
            data = os.read(child.output_fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._reactor.forget(child.output_fd)
            return False
        child.tail.add(data)
        self._output.write(data)
        return True


def launch(release: Release, env: Mapping[str, str], listen_fd: int) -> Child:
    """Start a worker's program in a release, with the listening socket. Raises OSError, and leaves nothing then."""
    # Without a file descriptor left any of these may fail.
    with contextlib.ExitStack() as ends, contextlib.ExitStack() as ours:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ends.callback(theirs.close)
        ours.callback(control.close)
        output, output_end = os.pipe()
        ends.callback(os.close, output_end)
        ours.callback(os.close, output)
        popen = subprocess.Popen(
            worker_argv(release.python, theirs.fileno()),
            cwd=release.path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output_end,
            stderr=output_end,
            pass_fds=(theirs.fileno(), listen_fd),
            start_new_session=True,
        )
        ours.callback(_end_at_once, popen)
        child = Child(popen, control, output, os.pidfd_open(popen.pid))
        ours.pop_all()
    return child


def _end_at_once(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    popen.wait()


def describe_exit(status: int) -> str:
    """Put a `Popen.returncode` into words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
