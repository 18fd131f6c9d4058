# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker processes: the core's actions about them, and their messages as events."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from ..core.actions import Abort, Accept, Drain, Kill, Spawn
from ..core.events import (
    Accepted,
    DrainFinished,
    DrainStarted,
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
from .output import Output
from .processes import Child, Children
from .spawn import configure_message, launch
from .subreaper import WORKER_ID_VARIABLE, Orphans, become_subreaper

Address = tuple[str, int] | None


class Workers:
    """All worker processes. Their messages and exits are given to `feed`."""

    def __init__(
        self,
        listener: socket.socket,
        output: Output,
        feed: Callable[[Event], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.processes: dict[int, Child] = {}
        self.excluded_pids: set[int] = set()
        """Children that are not watched here and that are reaped elsewhere."""

        self._listen_fd = listener.fileno()
        self._children = Children(output, loop)
        self._orphans = Orphans()
        self._feed = feed
        self._loop = loop
        become_subreaper()
        loop.add_signal_handler(signal.SIGCHLD, self.reap_orphans)

    # -- the core's actions -------------------------------------------------------------------------------------------

    def spawn(self, action: Spawn) -> None:
        """Start a worker; feed `Spawned`, `ReleaseGone` or `Failed`."""
        release = action.release
        if not os.path.isdir(release.path):  # noqa: PTH112 - it is a text
            self._feed(ReleaseGone(action.worker))
            return
        ours = {
            WORKER_ID_VARIABLE: str(action.worker),
            "PROCMON_SLOT": str(action.slot),
            "PROCMON_GENERATION": str(action.generation),
        }
        try:
            child = launch(release.python, release.path, {**release.env, **ours}, self._listen_fd)
        except OSError as error:
            self._feed(Failed(action.worker, "spawn", f"{release.python}: {error.strerror}"))
            self._feed(Exited(action.worker, "no process"))
            return
        self._watch(action.worker, child)
        self._feed(Spawned(action.worker, child.pid))
        child.send(configure_message(action, self._listen_fd))

    def accept(self, action: Accept) -> None:
        """Order it to accept."""
        self._send(action.worker, {"type": "accept"})

    def drain(self, action: Drain) -> None:
        """Order it to finish."""
        last = {"last": True} if action.last else {}
        self._send(action.worker, {"type": "drain", "seconds": action.seconds, **last})

    def abort(self, action: Abort) -> None:
        """Make it write where it hangs, and end."""
        self._signal(action.worker, signal.SIGABRT)

    def kill(self, action: Kill) -> None:
        """End it now."""
        self._signal(action.worker, signal.SIGKILL)

    def open_probe(self, number: int, client: Address, server: Address) -> socket.socket:
        """Send the worker one end of a new connection and return the other.

        To the app it comes from `client` to `server`, as a user's does. Raises OSError when the worker can take none.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            if self._send(number, {"type": "probe", "client": client, "server": server}, [theirs.fileno()]):
                return ours
        ours.close()
        raise ConnectionError("the worker could not be reached")

    # -- from one procmon to the next ---------------------------------------------------------------------------------

    def hand_over(self) -> list[dict[str, Any]]:
        """Describe all processes for `restore`."""
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

    def restore(self, found: list[dict[str, Any]]) -> None:
        """Take the processes over; one that has exited by now is noticed as usual: no other process could reap it."""
        for one in found:
            control = socket.socket(fileno=one["control_fd"])
            child = Child(one["pid"], control, one["output_fd"], os.pidfd_open(one["pid"]), one["started"])
            child.tail.add(one["tail"].encode("latin-1"))
            self._watch(one["number"], child)
        # Nothing reports what ended during the exec.
        self.reap_orphans()

    @property
    def cleaning(self) -> bool:
        """Return whether any exited worker's helpers still have their time; only this procmon knows their group."""
        return self._children.cleaning

    async def cleaned_up(self) -> None:
        """Wait until none has."""
        await self._children.cleaned_up()

    # -- processes ----------------------------------------------------------------------------------------------------

    def reap_orphans(self) -> bool:
        """Reap or end what exited workers have left behind; return whether there is anything."""
        found, again_in = self._orphans.reap(self.processes, self.excluded_pids | self._children.pids)
        if again_in is not None:
            self._loop.call_later(again_in, self.reap_orphans)
        return found or self.cleaning

    def _watch(self, number: int, child: Child) -> None:
        self.processes[number] = child
        self._children.watch(
            child,
            lambda data: self._feed(to_event(number, data, child.rss_bytes)),
            lambda how: self._exited(number, child, how),
        )

    def _exited(self, number: int, child: Child, how: str) -> None:
        del self.processes[number]
        self.reap_orphans()
        self._feed(Exited(number, how, child.tail.text()))

    def _send(self, number: int, message: Mapping[str, Any], fds: list[int] | None = None) -> bool:
        child = self.processes.get(number)
        return child is not None and child.send(message, fds)

    def _signal(self, number: int, signal_number: int) -> None:
        if child := self.processes.get(number):
            child.signal(signal_number)


def to_event(number: int, data: bytes, rss_bytes: Callable[[], int]) -> WorkerEvent:
    """Translate a datagram of worker `number`; one that means nothing is a failure of that worker."""
    try:
        message = json.loads(data)
        return _READERS[message["type"]](number, message, rss_bytes)
    except (ValueError, KeyError, TypeError) as error:
        return Failed(number, "control", f"invalid message {data[:200]!r}: {type(error).__name__} {error}")


Reader = Callable[[int, Mapping[str, Any], Callable[[], int]], WorkerEvent]


def _tick(kind: type[Ticked]) -> Reader:
    def read(number: int, body: Mapping[str, Any], rss_bytes: Callable[[], int]) -> WorkerEvent:
        return kind(number, int(body["requests"]), int(body["in_flight"]), int(body["connections"]), rss_bytes())

    return read


_READERS: Mapping[str, Reader] = {
    "loaded": lambda number, _body, _rss: Loaded(number),
    "started": lambda number, _body, _rss: Started(number),
    "accepting": lambda number, _body, _rss: Accepted(number),
    "tick": _tick(Ticked),
    "draining": _tick(DrainStarted),
    "drained": lambda number, body, _rss: DrainFinished(number, int(body["cut"])),
    "failed": lambda number, body, _rss: Failed(number, str(body["stage"]), str(body["error"])),
}
