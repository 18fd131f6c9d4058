# SPDX-License-Identifier: GPL-3.0-or-later
"""uvicorn's server under the master's control: it accepts when commanded to, and exits without losing a request."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import uvicorn

from .acceptor import Acceptor
from .channel import Channel, Command
from .connections import CLOSE_HEADER, Inspector
from .drain import Drain, Schedule
from .lifespan import Lifespan
from .loader import load
from .parent import ORPHAN_SECONDS
from .settings import Settings

TICK_SECONDS = 1.0
LIFESPAN_SECONDS = 10.0
ORPHAN_DRAIN_SECONDS = ORPHAN_SECONDS - 2  # the rest is for the lifespan and the interpreter's exit


class WorkerServer(uvicorn.Server):
    """One worker: loads and starts the app, then carries out the master's commands until it has drained."""

    def __init__(self, config: uvicorn.Config, settings: Settings, channel: Channel) -> None:
        super().__init__(config)
        self._settings = settings
        self._channel = channel
        self._acceptor = Acceptor(settings.listen_fd)
        self._draining = False
        self._last_report: dict[str, Any] = {}
        self._last_report_at = 0.0

    async def work(self) -> int:
        """Run the worker from the import of its app to its end; return the number of requests that were cut.

        Raises WorkerError when the app cannot be imported or started.
        """
        self._channel.attach()
        load(self.config, self._settings.app)
        self._inspector = Inspector(self.config.http_protocol_class)
        self._channel.send({"type": "loaded"})
        self._lifespan = Lifespan(self.config.loaded_app, self.config.asgi_version, self.config.lifespan)
        await self._lifespan.startup()
        await super().on_tick(0)  # so that the response to the probe has a Date header
        self._channel.send({"type": "started"})
        return await self._serve_and_drain()

    async def _serve_and_drain(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate)
        ticking = asyncio.create_task(self._tick_forever(), name="tick")
        try:
            last_command = await self._carry_out_commands()
            cut = await self._drain(last_command)
            await self._lifespan.shutdown(LIFESPAN_SECONDS)
        finally:
            ticking.cancel()
        return cut

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
        for fd in command.fds:
            await self._serve_socket(socket.socket(fileno=fd))

    async def _serve_socket(self, sock: socket.socket) -> None:
        """Attach a connection to its protocol."""
        sock.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(self._protocol, sock)

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self._lifespan.state
        )
        return made

    async def _drain(self, command: Command) -> int:
        self._draining = True
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
            return await drain.run()
        finally:
            shortening.cancel()

    async def _shorten(self, drain: Drain) -> None:
        """Read the commands that arrive during a drain: an earlier end is accepted, all else is ignored."""
        while True:
            command = await self._channel.next_command()
            command.discard()
            if command.type in ("drain", "closed"):
                drain.shorten(seconds_of(command))

    async def _tick_forever(self) -> None:
        """Update the Date header, check uvicorn's request limit, and report that this loop is running.

        All workers tick at the same moments, so that the master wakes up once for all of them.
        """
        while True:
            if await super().on_tick(0) and not self._draining:
                self._terminate()
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
