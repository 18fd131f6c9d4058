# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker processes: what the core asks of them, and what they say."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
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
from .launch import configuration
from .orphans import MARK, adopt, sweep
from .output import Output
from .processes import Child, Children, Inherited, launch
from .reactor import Reactor
from .zygotes import Birth, Zygotes


class Workers:
    """All worker processes. What they say and how they end is given to `feed`."""

    def __init__(
        self,
        listener: socket.socket,
        output: Output,
        feed: Callable[[Event], None],
        reactor: Reactor,
    ) -> None:
        self.processes: dict[int, Child] = {}
        self.spared: set[int] = set()
        """Children that are not followed and that somebody else reaps."""
        self._generations: dict[int, int] = {}
        self._births: dict[int, Birth] = {}
        self._listen_fd = listener.fileno()
        self._children = Children(output, reactor)
        self._zygotes = Zygotes(self._children, self._listen_fd, feed, self._expect, self._spawn_fresh)
        self._feed = feed
        self._reactor = reactor
        adopt()
        reactor.on_signal(signal.SIGCHLD, self.sweep)

    # -- what the core asks for ---------------------------------------------------------------------------------------

    def spawn(self, wanted: Spawn) -> None:
        """Start a worker; say `Spawned`, `ReleaseGone` or `Failed`."""
        if not os.path.isdir(wanted.release.path):  # noqa: PTH112 - it is a text
            self._feed(ReleaseGone(wanted.worker))
            return
        self._generations[wanted.worker] = wanted.generation
        if not (wanted.release.preload and self._zygotes.fork(wanted)):
            self._spawn_fresh(wanted)

    def open_probe(self, number: int) -> socket.socket:
        """Give the worker one end of a new connection and return the other. Raises OSError when it can take none."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            if self._send(number, {"type": "probe"}, [theirs.fileno()]):
                return ours
        ours.close()
        raise ConnectionError("the worker could not be asked")

    def accept(self, number: int) -> None:
        """Tell it to accept."""
        self._send(number, {"type": "accept"})

    def drain(self, number: int, seconds: float, *, last: bool) -> None:
        """Tell it to finish."""
        self._send(number, {"type": "drain", "seconds": seconds} | ({"last": True} if last else {}))

    def abort(self, number: int) -> None:
        """Let it write where it hangs, and end."""
        if child := self.processes.get(number):
            child.abort()
        else:
            self._zygotes.abort(number)

    def kill(self, number: int) -> None:
        """End it and all that it started, now."""
        if child := self.processes.get(number):
            child.kill_group()
        elif birth := self._births.get(number):
            birth.doomed = True
        else:
            self._zygotes.forget(number)
            self._retain_zygotes()

    # -- from one procmon to the next ---------------------------------------------------------------------------------

    def hand_over(self) -> list[dict[str, Any]]:
        """Describe all processes for `adopt`."""
        return [
            {
                "number": number,
                "pid": child.pid,
                "control_fd": child.control.fileno(),
                "output_fd": child.output_fd,
                "started": child.started,
                "tail": child.tail.data.decode("latin-1"),
            }
            for number, child in self.processes.items()
        ]

    def adopt(self, found: list[dict[str, Any]]) -> None:
        """Take the processes over; one that has ended meanwhile is noticed as ever: nobody else could reap it."""
        for one in found:
            control = socket.socket(fileno=one["control_fd"])
            child = Child(Inherited(one["pid"]), control, one["output_fd"], os.pidfd_open(one["pid"]), one["started"])
            child.tail.add(one["tail"].encode("latin-1"))
            self._follow(one["number"], child)
        # Of what ended during the exec nobody will tell: a zygote, or somebody's daemon.
        self.sweep()

    # -- processes ----------------------------------------------------------------------------------------------------

    def _spawn_fresh(self, wanted: Spawn) -> None:
        try:
            child = launch(wanted.release, {**wanted.release.env, MARK: str(wanted.worker)}, self._listen_fd)
        except OSError as error:
            self._feed(Failed(wanted.worker, "spawn", f"{wanted.release.python}: {error.strerror}"))
            self._feed(Exited(wanted.worker, "no process"))
            return
        self._begin(wanted, child)

    def _begin(self, wanted: Spawn, child: Child) -> None:
        self._follow(wanted.worker, child)
        self._feed(Spawned(wanted.worker, child.pid))
        child.send(configuration(wanted, self._listen_fd))

    def _follow(self, number: int, child: Child) -> None:
        self.processes[number] = child
        self._children.follow(
            child,
            lambda data: self._feed(to_event(number, data, child.rss_bytes)),
            lambda how: self._ended(number, child, how),
        )

    def _ended(self, number: int, child: Child, how: str) -> None:
        del self.processes[number]
        self.sweep()
        self._feed(Exited(number, how, child.tail.text()))
        self._generations.pop(number, None)
        self._retain_zygotes()

    def _retain_zygotes(self) -> None:
        alive = {*self.processes, *self._births}
        self._zygotes.retain({self._generations[number] for number in alive if number in self._generations})

    def sweep(self) -> bool:
        """End what workers that have gone have left behind; return whether there was anything."""
        # A worker that is being forked is our child already, and not yet known as one.
        return not self._births and sweep(self.processes, self.spared | self._children.pids)

    def _send(self, number: int, message: Mapping[str, Any], fds: list[int] | None = None) -> bool:
        child = self.processes.get(number)
        return child is not None and child.send(message, fds)

    # -- workers that a zygote forks ----------------------------------------------------------------------------------

    def _expect(self, wanted: Spawn, birth: Birth) -> None:
        self._births[wanted.worker] = birth
        self._reactor.on_ready(birth.control, lambda: self._welcome(wanted, birth))

    def _welcome(self, wanted: Spawn, birth: Birth) -> None:
        """Take the first that a fork says, its pid; or the end of its channel, when there is no fork."""
        self._reactor.forget(birth.control)
        del self._births[wanted.worker]
        try:
            child = birth.child()
        except (OSError, ValueError, KeyError):
            birth.close()
            self._feed(Failed(wanted.worker, "spawn", "the zygote could not fork it"))
            self._feed(Exited(wanted.worker, "no process"))
        else:
            self._begin(wanted, child)
            if birth.doomed:
                child.kill_group()
        self.sweep()


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
