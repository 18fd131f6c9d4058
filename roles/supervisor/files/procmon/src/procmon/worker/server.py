# SPDX-License-Identifier: GPL-3.0-or-later
"""uvicorn's server, led by the master: it accepts when told to, and it ends without losing a request."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import uvicorn

from .app import load
from .connections import CLOSE_HEADER, Inspector
from .control import Control, Order
from .drain import Drain, Schedule
from .ending import ORPHAN_SECONDS
from .lifespan import Lifespan
from .listener import Listener
from .settings import Settings

TICK_SECONDS = 1.0
LIFESPAN_SECONDS = 10.0
UNASKED_DRAIN_SECONDS = 30.0  # for a drain that the master has not asked for: SIGTERM, uvicorn's limit_max_requests
ORPHAN_DRAIN_SECONDS = ORPHAN_SECONDS - 2  # the rest is for the lifespan and the interpreter's own end


class WorkerServer(uvicorn.Server):
    """One worker: loads and starts the app, then follows the master's orders until it has drained."""

    def __init__(self, config: uvicorn.Config, settings: Settings, control: Control) -> None:
        super().__init__(config)
        self._settings = settings
        self._control = control
        self._listener = Listener(settings.listen_fd)
        self._draining = False
        self._said: dict[str, Any] = {}
        self._said_at = 0.0

    async def work(self) -> int:
        """Run the worker from the import of its app to its end; give the number of requests that were cut.

        Raises WorkerError when the app cannot be imported or started.
        """
        self._control.attach()
        if not self.config.loaded:  # as it is in a fork
            load(self.config, self._settings.app)
        self._inspector = Inspector(self.config.http_protocol_class)
        self._control.send({"type": "loaded"})
        self._lifespan = Lifespan(self.config.loaded_app, self.config.asgi_version, self.config.lifespan)
        await self._lifespan.startup()
        await super().on_tick(0)  # the probe's response has its Date header too
        self._control.send({"type": "started"})
        return await self._serve_and_drain()

    async def _serve_and_drain(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate)
        ticking = asyncio.create_task(self._tick_forever(), name="tick")
        try:
            last_order = await self._follow_orders()
            cut = await self._drain(last_order)
            await self._lifespan.shutdown(LIFESPAN_SECONDS)
        finally:
            ticking.cancel()
        return cut

    def _terminate(self) -> None:
        """Drain as though the master had asked for it."""
        self._control.order_ourselves(Order("drain", {"seconds": UNASKED_DRAIN_SECONDS}))

    async def _follow_orders(self) -> Order:
        """Follow the master's orders up to the one that ends the service."""
        while True:
            order = await self._control.next_order()
            if order.type == "probe":
                await self._probe(order)
            elif order.type == "accept":
                self._listener.open(self._adopt)
                self._control.send({"type": "accepting"})
            else:
                return order

    async def _probe(self, order: Order) -> None:
        for fd in order.fds:
            sock = socket.socket(fileno=fd)
            sock.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, sock)

    async def _adopt(self, sock: socket.socket) -> None:
        """Serve an accepted connection."""
        sock.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(self._protocol, sock)

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self._lifespan.state
        )
        return made

    async def _drain(self, order: Order) -> int:
        self._draining = True
        waiting = await self._listener.close(last=bool(order.body.get("last")))
        # Every response from now on announces the close; on_tick makes its headers of these each second.
        self.config.encoded_headers = [*self.config.encoded_headers, CLOSE_HEADER]
        await super().on_tick(0)
        self._tell()
        for sock in waiting:
            await self._adopt(sock)
        now = asyncio.get_running_loop().time()
        schedule = Schedule.starting(now, seconds_of(order), self._settings.idle_grace)
        drain = Drain(self.server_state, self._inspector, schedule)
        hastening = asyncio.create_task(self._hasten(drain), name="hasten")
        try:
            return await drain.run()
        finally:
            hastening.cancel()

    async def _hasten(self, drain: Drain) -> None:
        """Follow the orders that come during a drain: an end that is sooner counts, nothing else does."""
        while True:
            order = await self._control.next_order()
            order.discard()
            if order.type in ("drain", "gone"):
                drain.hasten(seconds_of(order))

    async def _tick_forever(self) -> None:
        """Keep the date, count, and tell the master that this loop turns.

        All workers tick at the same moments, so that the master wakes up once for all of them.
        """
        while True:
            if await super().on_tick(0) and not self._draining:
                self._terminate()
            self._tell()
            await asyncio.sleep(TICK_SECONDS - asyncio.get_running_loop().time() % TICK_SECONDS)

    def _tell(self) -> None:
        """Report, unless the master has heard the same a short while ago."""
        report, now = self._report(), asyncio.get_running_loop().time()
        if report == self._said and same_span(self._said_at, now, self._settings.silence):
            return
        if self._control.offer(report):
            self._said, self._said_at = report, now

    def _report(self) -> dict[str, Any]:
        return {
            "type": "draining" if self._draining else "tick",
            "requests": self.server_state.total_requests,
            "in_flight": len(self.server_state.tasks),
            "connections": len(self.server_state.connections),
        }


def same_span(one: float, other: float, seconds: float) -> bool:
    """Say whether two times are in the same span, where all time is divided into spans of so many seconds."""
    return seconds > 0 and one // seconds == other // seconds


def seconds_of(order: Order) -> float:
    """Tell how long a drain may take."""
    return ORPHAN_DRAIN_SECONDS if order.type == "gone" else float(order.body["seconds"])
