# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker processes: the only place that spawns, signals and reaps, always by one pid."""

from __future__ import annotations

import asyncio
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

from .actions import Spawn
from .events import (
    Accepted,
    Drained,
    Drains,
    Event,
    Exited,
    Failed,
    Loaded,
    ReleaseGone,
    Spawned,
    Started,
    Ticked,
    WorkerEvent,
)
from .launch import worker_argv
from .orphans import MARK, adopt, sweep
from .output import Output, Tail

DATAGRAM_BYTES = 1 << 18
READ_BYTES = 65536
LAST_READS = 16
"""How often a worker's output is read once it has ended: what it left goes on writing for as long as it lives."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Inherited:
    """A child that was started by the procmon before this one in the same process."""

    pid: int

    def wait(self) -> int:
        """Reap it; return its status as `Popen.wait` does."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@dataclass(eq=False)
class Process:
    """One worker's process and the master's ends of what connects them. `started` is seconds since the epoch."""

    number: int
    popen: subprocess.Popen[bytes] | Inherited
    control: socket.socket
    output_fd: int
    pidfd: int
    started: float = field(default_factory=time.time)
    tail: Tail = field(default_factory=Tail)

    def rss_bytes(self) -> int:
        """Return its resident memory; 0 when it has just gone."""
        try:
            with open(f"/proc/{self.popen.pid}/statm", "rb") as statm:  # noqa: PTH123 - each second for each worker
                return int(statm.read().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0


class Workers:
    """All worker processes. What they say and how they end is given to `feed`."""

    def __init__(
        self,
        listener: socket.socket,
        output: Output,
        feed: Callable[[Event], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.processes: dict[int, Process] = {}
        self.spared: set[int] = set()
        """Children that are no workers and that somebody else reaps."""
        self._listen_fd = listener.fileno()
        self._output = output
        self._feed = feed
        self._loop = loop
        adopt()
        loop.add_signal_handler(signal.SIGCHLD, self._sweep)

    # -- what the core asks for ---------------------------------------------------------------------------------------

    def spawn(self, wanted: Spawn) -> None:
        """Start a worker; say `Spawned`, `ReleaseGone` or `Failed`."""
        if not os.path.isdir(wanted.release.path):  # noqa: PTH112 - it is a text
            self._feed(ReleaseGone(wanted.worker))
            return
        try:
            process = self._start(wanted)
        except OSError as error:
            self._feed(Failed(wanted.worker, "spawn", f"{wanted.release.python}: {error.strerror}"))
            self._feed(Exited(wanted.worker, "no process"))
            return
        self._follow(process)
        self._feed(Spawned(wanted.worker, process.popen.pid))
        self._send(wanted.worker, self._configuration(wanted))

    def open_probe(self, number: int) -> socket.socket | None:
        """Give the worker one end of a new connection and return the other; None when it can take none."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            if self._send(number, {"type": "probe"}, [theirs.fileno()]):
                return ours
        ours.close()
        return None

    def accept(self, number: int) -> None:
        """Tell it to accept."""
        self._send(number, {"type": "accept"})

    def drain(self, number: int, seconds: float, *, last: bool) -> None:
        """Tell it to finish."""
        self._send(number, {"type": "drain", "seconds": seconds} | ({"last": True} if last else {}))

    def abort(self, number: int) -> None:
        """Send SIGABRT to it alone."""
        if process := self.processes.get(number):
            signal.pidfd_send_signal(process.pidfd, signal.SIGABRT)

    def kill(self, number: int) -> None:
        """Send SIGKILL to it and to all that it started."""
        if process := self.processes.get(number):
            _kill_group(process)

    # -- from one procmon to the next ---------------------------------------------------------------------------------

    def hand_over(self) -> list[dict[str, Any]]:
        """Describe all processes for `adopt`."""
        return [
            {
                "number": process.number,
                "pid": process.popen.pid,
                "control_fd": process.control.fileno(),
                "output_fd": process.output_fd,
                "started": process.started,
                "tail": process.tail.data.decode("latin-1"),
            }
            for process in self.processes.values()
        ]

    def adopt(self, found: list[dict[str, Any]]) -> None:
        """Take the processes over; one that has ended meanwhile is noticed as ever: nobody else could reap it."""
        for one in found:
            control = socket.socket(fileno=one["control_fd"])
            control.setblocking(False)
            process = Process(
                one["number"],
                Inherited(one["pid"]),
                control,
                one["output_fd"],
                os.pidfd_open(one["pid"]),
                one["started"],
            )
            process.tail.add(one["tail"].encode("latin-1"))
            self._follow(process)

    # -- processes ----------------------------------------------------------------------------------------------------

    def _follow(self, process: Process) -> None:
        self.processes[process.number] = process
        self._loop.add_reader(process.control, self._read_control, process)
        self._loop.add_reader(process.output_fd, self._read_output, process)
        self._loop.add_reader(process.pidfd, self._reap, process)

    def _start(self, wanted: Spawn) -> Process:
        # Without a file descriptor left any of these may fail: then nothing may be left of the others.
        with contextlib.ExitStack() as ends, contextlib.ExitStack() as ours:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ends.callback(theirs.close)
            ours.callback(control.close)
            output, output_end = os.pipe()
            ends.callback(os.close, output_end)
            ours.callback(os.close, output)
            popen = self._popen(wanted, theirs.fileno(), output_end)
            ours.callback(_end_at_once, popen)
            process = Process(wanted.worker, popen, control, output, os.pidfd_open(popen.pid))
            ours.pop_all()
        control.setblocking(False)
        os.set_blocking(output, False)
        return process

    def _popen(self, wanted: Spawn, control_fd: int, output_fd: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            worker_argv(wanted.release.python, control_fd),
            cwd=wanted.release.path,
            env={**wanted.release.env, MARK: str(wanted.worker)},
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            pass_fds=(control_fd, self._listen_fd),
            start_new_session=True,
        )

    def _configuration(self, wanted: Spawn) -> Mapping[str, Any]:
        return {
            "type": "configure",
            "app": wanted.release.app,
            "listen_fd": self._listen_fd,
            "uvicorn": wanted.release.uvicorn,
            "idle_grace": wanted.release.idle_grace_seconds,
            "slot": wanted.slot,
            "generation": wanted.generation,
        }

    def _send(self, number: int, message: Mapping[str, Any], fds: list[int] | None = None) -> bool:
        process = self.processes.get(number)
        if process is None:
            return False
        try:
            socket.send_fds(process.control, [json.dumps(message).encode()], fds or [])
        except BlockingIOError:
            # It has not read for so long that the channel is full: it would never learn what to do.
            _kill_group(process)
            return False
        except OSError:
            # Its end is closed: it is about to be reaped.
            return False
        return True

    def _reap(self, process: Process) -> None:
        # The end of a process can be seen before the last that it said.
        self._read_control(process)
        for _ in range(LAST_READS):
            if not self._read_output(process):
                break
        # Until it is reaped nobody else can have its pid, so that the group is certainly its own.
        _kill_group(process)
        status = process.popen.wait()
        for fd in (process.control.fileno(), process.output_fd, process.pidfd):
            self._loop.remove_reader(fd)
        process.control.close()
        os.close(process.output_fd)
        os.close(process.pidfd)
        del self.processes[process.number]
        self._sweep()
        self._feed(Exited(process.number, describe_exit(status), process.tail.text()))

    def _sweep(self) -> None:
        sweep(self.processes, self.spared.union(process.popen.pid for process in self.processes.values()))

    # -- what they say ------------------------------------------------------------------------------------------------

    def _read_control(self, process: Process) -> None:
        while True:
            try:
                data = process.control.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # It ended before it had read our last order. Linux says so once, ahead of the last that it said.
                continue
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(process.control)
                return
            self._feed(to_event(process.number, data, process.rss_bytes))

    def _read_output(self, process: Process) -> bool:
        """Take one piece, so that a worker that writes without a pause keeps the loop from nobody else."""
        try:
            data = os.read(process.output_fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(process.output_fd)
            return False
        process.tail.add(data)
        self._output.write(data)
        return True


def _end_at_once(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    popen.wait()


def _kill_group(process: Process) -> None:
    try:
        os.killpg(process.popen.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Nothing is left of it, or what is left runs as somebody else and is not ours to end.
        return


def describe_exit(status: int) -> str:
    """Put a `Popen.returncode` into words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def to_event(number: int, data: bytes, rss_bytes: Callable[[], int]) -> WorkerEvent:
    """Translate a datagram of worker `number`; one that means nothing is a failure of that worker."""
    try:
        message = json.loads(data)
        return _READERS[message["type"]](number, message, rss_bytes)
    except (ValueError, KeyError, TypeError) as error:
        return Failed(number, "control", f"it said {data[:200]!r}: {type(error).__name__} {error}")


def _tick(kind: type[Ticked]) -> Callable[[int, Mapping[str, Any], Callable[[], int]], WorkerEvent]:
    def read(number: int, said: Mapping[str, Any], rss_bytes: Callable[[], int]) -> WorkerEvent:
        return kind(number, int(said["requests"]), int(said["in_flight"]), int(said["connections"]), rss_bytes())

    return read


_READERS: Mapping[str, Callable[[int, Mapping[str, Any], Callable[[], int]], WorkerEvent]] = {
    "loaded": lambda number, _said, _rss: Loaded(number),
    "started": lambda number, _said, _rss: Started(number),
    "accepting": lambda number, _said, _rss: Accepted(number),
    "tick": _tick(Ticked),
    "draining": _tick(Drains),
    "drained": lambda number, said, _rss: Drained(number, int(said["cut"])),
    "failed": lambda number, said, _rss: Failed(number, str(said["stage"]), str(said["error"])),
}
