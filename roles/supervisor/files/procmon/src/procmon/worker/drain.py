# SPDX-License-Identifier: GPL-3.0-or-later
"""The drain: every connection ends at a moment when nothing is lost, or at the deadline."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from uvicorn.server import ServerState

from .connections import Connection, Inspector, Phase, awaiting_response, close_idle, close_websocket

ROUND_SECONDS = 0.05
FINISH_SECONDS = 1.0  # how long a request whose response is complete has to end
CANCEL_SECONDS = 2.0  # how long cancelled requests have to end
log = logging.getLogger("uvicorn.error")


@dataclass
class Schedule:
    """The times of a drain, on the event loop's clock.

    An idle connection is closed after `grace` seconds of silence. WebSockets are closed from `websockets` on, spread
    over `spread` seconds.
    """

    grace: float
    websockets: float
    spread: float
    deadline: float

    @classmethod
    def starting(cls, now: float, seconds: float, idle_grace: float) -> Schedule:
        """Return the schedule of a drain of `seconds`. The WebSockets are all closed before the deadline."""
        grace = min(idle_grace, seconds)
        return cls(grace, now + grace, min(grace, (seconds - grace) / 2), now + seconds)

    def shorten(self, deadline: float) -> None:
        """Bring the deadline forward; never postpone it."""
        self.deadline = min(self.deadline, deadline)

    def is_due(self, phase: Phase, silent_since: float, now: float, jitter: float = 0.0) -> bool:
        """Return whether a connection in `phase` that has been silent since `silent_since` should be closed now.

        `jitter` (0 to 1) differs per WebSocket, so that their clients do not all reconnect at the same moment.
        """
        if phase is Phase.IDLE:
            return now >= min(silent_since + self.grace, self.deadline)
        return phase is Phase.WEBSOCKET and now >= min(self.websockets + self.spread * jitter, self.deadline)


class Drain:
    """One server's drain: `run` it once; `shorten` it when its time is reduced."""

    def __init__(self, state: ServerState, inspector: Inspector, schedule: Schedule) -> None:
        self._state = state
        self._inspector = inspector
        self._schedule = schedule
        self._loop = asyncio.get_running_loop()
        self.cut = 0
        self._silent_since: dict[Connection, float] = {}
        self._jitter: defaultdict[Connection, float] = defaultdict(random.random)
        self._closing: dict[Connection, asyncio.Task[None]] = {}

    def shorten(self, seconds: float) -> None:
        """End within `seconds` from now, if that is sooner."""
        self._schedule.shorten(self._loop.time() + seconds)

    def seconds_left(self) -> float:
        """Return what is left of the drain's time."""
        return max(0.0, self._schedule.deadline - self._loop.time())

    async def run(self) -> None:
        """Wait until every connection and every request's task has ended; cut the rest at the deadline."""
        for connection in self._state.connections:
            self._inspector.announce_close(connection)
        while not self._is_over() and self._loop.time() < self._schedule.deadline:
            self._close_due()
            await asyncio.sleep(ROUND_SECONDS)
        self._close_due()
        # An app that has just sent a 500 may still raise the reason, which uvicorn logs: cancelled, it would be lost.
        await self._wait_while(self._is_finishing, FINISH_SECONDS)
        if not self._is_over():
            self.cut = await self._cut()

    def _is_over(self) -> bool:
        return not self._state.connections and not self._state.tasks

    def _is_finishing(self) -> bool:
        """Return whether there are more requests' tasks than open responses."""
        return len(self._state.tasks) > sum(map(self._inspector.is_open, self._state.connections))

    def _close_due(self) -> None:
        now = self._loop.time()
        phases = {connection: self._inspector.phase(connection) for connection in self._state.connections}
        self._silent_since = {
            connection: self._silent_since.get(connection, now)
            for connection, phase in phases.items()
            if phase is Phase.IDLE
        }
        for connection, phase in phases.items():
            if self._schedule.is_due(phase, self._silent_since.get(connection, now), now, self._jitter[connection]):
                self._close(connection, phase)

    def _close(self, connection: Connection, phase: Phase) -> None:
        if phase is Phase.IDLE:
            close_idle(connection)
        elif connection not in self._closing:
            self._closing[connection] = self._loop.create_task(close_websocket(connection))

    async def _cut(self) -> int:
        """Cancel what is left, wait `CANCEL_SECONDS` at most for it, and drop the connections that still remain.

        Returns the number of requests that were cut.
        """
        phases = {connection: self._inspector.phase(connection) for connection in self._state.connections}
        partial = [connection for connection, phase in phases.items() if phase is Phase.RECEIVING]
        # The app has completed these responses, so there is no task to count.
        unread = [one for one, phase in phases.items() if phase is Phase.RESPONDING and not awaiting_response(one)]
        cut = len(partial) + len(unread) + len(self._state.tasks)
        if cut:
            log.warning("The drain's time is over: aborting %d requests: %s", cut, "; ".join(requests(phases)))
        for task in list(self._state.tasks):
            task.cancel()
        for connection in partial:
            connection.transport.close()
        await self._wait_while(lambda: not self._is_over(), CANCEL_SECONDS)
        for connection in list(self._state.connections):
            connection.transport.abort()
        return cut

    async def _wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        end = self._loop.time() + seconds
        while condition() and self._loop.time() < end:
            self._close_due()
            await asyncio.sleep(ROUND_SECONDS)


def requests(connections: Iterable[Connection]) -> list[str]:
    """Return the method and path of each request that is being handled on these connections."""
    scopes = [connection.scope for connection in connections if getattr(connection, "scope", None)]
    return sorted(f"{scope.get('method', 'WEBSOCKET')} {scope['path']}" for scope in scopes if "path" in scope)
