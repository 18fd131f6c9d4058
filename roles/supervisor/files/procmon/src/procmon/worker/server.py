# SPDX-License-Identifier: GPL-3.0-or-later
"""uvicorn's server under the master's control: it accepts when commanded to, and exits without losing a request.

A drain has a time limit. What the requests leave of it may be used by the lifespan's shutdown, and what that leaves by
the interpreter's exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from . import signals
from .acceptor import Acceptor
from .channel import Channel, Command
from .connections import CLOSE_HEADER, Inspector, override_addresses
from .drain import Drain, Schedule
from .lifespan import Lifespan
from .loader import load
from .parent import ORPHAN_SECONDS
from .settings import Settings

TICK_SECONDS = 1.0
LIFESPAN_SECONDS = 10.0  # the least for its shutdown; a drain that ends early leaves it more
ORPHAN_DRAIN_SECONDS = ORPHAN_SECONDS - 2  # the rest is for the lifespan and the interpreter's exit


@dataclass(frozen=True)
class Drained:
    """The result of a drain: how many requests were cut, and how many seconds of its time are left."""

    cut: int
    seconds_left: float


class WorkerServer(uvicorn.Server):
    """One worker: starts the imported app, then carries out the master's commands until it has drained."""

    def __init__(self, config: uvicorn.Config, settings: Settings, channel: Channel) -> None:
        super().__init__(config)
        self._settings = settings
        self._channel = channel
        self._acceptor = Acceptor(settings.listen_fd)
        self._is_started = False
        self._draining = False
        self._last_report: dict[str, Any] = {}
        self._last_report_at = 0.0

    async def work(self) -> Drained:
        """Run the worker from the loading of its app to the end of its drain. Raises WorkerError if it cannot start."""
        self._loop = asyncio.get_running_loop()
        self._channel.attach()
        # Where uvicorn installs its own: a handler that the app installs in its startup replaces it, or calls it.
        signals.install(signal.SIGTERM, self.handle_exit)
        load(self.config)
        self._inspector = Inspector(self.config.http_protocol_class)
        self._channel.send({"type": "loaded"})
        self._lifespan = Lifespan(self.config.loaded_app, self.config.asgi_version, self.config.lifespan)
        await self._lifespan.startup()
        await super().on_tick(0)  # so that the response to the probe has a Date header
        self._channel.send({"type": "started"})
        return await self._serve_and_drain()

    async def _serve_and_drain(self) -> Drained:
        self._is_started = True
        ticking = asyncio.create_task(self._tick_forever(), name="tick")
        try:
            last_command = await self._carry_out_commands()
            drain = await self._drain(last_command)
            await self._lifespan.shutdown(max(LIFESPAN_SECONDS, drain.seconds_left()))
        finally:
            ticking.cancel()
        return Drained(drain.cut, drain.seconds_left())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Handle SIGTERM: drain. Before the app has started, and in a forked child, end at once.

        Not an asyncio signal handler: a forked child would report its signals to this process. As a method of a
        uvicorn.Server, it is what libraries look for that end event streams at the shutdown, such as sse-starlette.
        """
        if not self._is_started or self._channel.is_inherited():
            signals.default_action(sig)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, since the worker is exiting
            self._loop.call_soon_threadsafe(self._terminate)

    def _terminate(self) -> None:
        """Drain as if the master had commanded it."""
        self._channel.inject(Command("drain", {"seconds": self._settings.drain_timeout}))

    async def _carry_out_commands(self) -> Command:
        """Carry out the master's commands until one ends the service; return that one."""
        while True:
            command = await self._channel.next_command()
            if command.type == "probe":
                await self._probe(command)
            elif command.type == "accept":
                self._acceptor.open(self._serve_socket)
                self._channel.send({"type": "accepting"})
            else:
                return command

    async def _probe(self, command: Command) -> None:
        """Serve the master's private connections, which the app sees with the addresses of a client over TCP."""
        addresses: dict[str, Any] = {name: command.body[name] for name in ("client", "server") if name in command.body}
        for fd in command.fds:
            await self._serve_socket(socket.socket(fileno=fd), addresses)

    async def _serve_socket(self, sock: socket.socket, addresses: Mapping[str, Any] | None = None) -> None:
        """Attach a connection to its protocol."""
        sock.setblocking(False)
        protocol = functools.partial(self._protocol, addresses or {})
        await asyncio.get_running_loop().connect_accepted_socket(protocol, sock)

    def _protocol(self, addresses: Mapping[str, Any]) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self._lifespan.state
        )
        if addresses:
            override_addresses(made, addresses)
        return made

    async def _drain(self, command: Command) -> Drain:
        self._draining = True
        super().handle_exit(signal.SIGTERM, None)  # sets should_exit, which apps and libraries may watch
        waiting = await self._acceptor.close(last=bool(command.body.get("last")))
        # Every response from now on announces the close; on_tick rebuilds its headers from these once a second.
        self.config.encoded_headers = [*self.config.encoded_headers, CLOSE_HEADER]
        await super().on_tick(0)
        self._report_status()
        for sock in waiting:
            await self._serve_socket(sock)
        now = asyncio.get_running_loop().time()
        schedule = Schedule.starting(now, seconds_of(command), self._settings.idle_grace)
        drain = Drain(self.server_state, self._inspector, schedule)
        shortening = asyncio.create_task(self._shorten(drain), name="shorten")
        try:
            await drain.run()
        finally:
            shortening.cancel()
        return drain

    async def _shorten(self, drain: Drain) -> None:
        """Read the commands that arrive during a drain: an earlier end is accepted, all else is ignored."""
        while True:
            command = await self._channel.next_command()
            command.discard()
            if command.type in ("drain", "closed"):
                drain.shorten(seconds_of(command))

    async def _tick_forever(self) -> None:
        """Update the Date header, and report that this loop is running.

        All workers tick at the same moments, so that the master wakes up once for all of them.
        """
        while True:
            await super().on_tick(0)
            self._report_status()
            await asyncio.sleep(TICK_SECONDS - asyncio.get_running_loop().time() % TICK_SECONDS)

    def _report_status(self) -> None:
        """Send a report, unless it equals the last one and that was sent in the same tick interval."""
        report, now = self._status(), asyncio.get_running_loop().time()
        if report == self._last_report and same_interval(self._last_report_at, now, self._settings.tick_interval):
            return
        if self._channel.try_send(report):
            self._last_report, self._last_report_at = report, now

    def _status(self) -> dict[str, Any]:
        return {
            "type": "draining" if self._draining else "tick",
            "requests": self.server_state.total_requests,
            "in_flight": len(self.server_state.tasks),
            "connections": len(self.server_state.connections),
        }


def same_interval(one: float, other: float, seconds: float) -> bool:
    """Return whether two times are in the same interval, where all time is divided into intervals of `seconds`."""
    return seconds > 0 and one // seconds == other // seconds


def seconds_of(command: Command) -> float:
    """Return how long a drain may take."""
    return ORPHAN_DRAIN_SECONDS if command.type == "closed" else float(command.body["seconds"])
