# SPDX-License-Identifier: GPL-3.0-or-later
"""The app's lifespan: started before the first request, shut down after the last.

uvicorn's own has two modes: `on` rejects apps without a lifespan, and `auto` takes an exception during startup for an
app without one, and serves it broken. Here the app's behaviour decides: an app that has received the startup event has
a lifespan.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .errors import WorkerError

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

REPLIES = {
    f"lifespan.{step}.{result}": (step, result) for step in ("startup", "shutdown") for result in ("complete", "failed")
}
log = logging.getLogger("uvicorn.error")


class NoLifespanError(Exception):
    """The app replies to the lifespan with messages of another protocol: it has no lifespan."""


class UnexpectedLifespanMessage(Exception):  # noqa: N818 - it names the message, not a failure of ours
    """The app replies to a lifespan event that it was not sent, or replies a second time."""


class Lifespan:
    """One app's lifespan. `mode` is uvicorn's `lifespan` option: `auto`, `on` or `off`; `state` what requests share."""

    def __init__(self, app: App, asgi_version: str, mode: str) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._asgi_version = asgi_version
        self._mode = mode
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._has_received = False
        self._replies: dict[str, asyncio.Future[str]] = {}
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the app. Raises WorkerError (stage `lifespan`) when it reports or shows that it cannot start."""
        if self._mode == "off":
            return
        reply = self._expect("startup")
        self._task = asyncio.create_task(self._run(), name="lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        ends: set[asyncio.Future[Any]] = {reply, self._task}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            self._ended_without_reply(self._task)
        elif error := reply.result():
            raise WorkerError("lifespan", error)

    def _ended_without_reply(self, task: asyncio.Task[None]) -> None:
        """Raise WorkerError for an app whose startup raised; accept one that has no lifespan or just returned."""
        error = task.exception()
        self._task = None
        if error is None:
            return
        if self._mode == "on" or (self._has_received and not isinstance(error, NoLifespanError)):
            raise WorkerError.of("lifespan", error)

    async def shutdown(self, seconds: float) -> None:
        """Shut the app down, within `seconds`. Failures are logged only: the worker exits in any case."""
        if self._task is None or self._task.done():
            return
        reply = self._expect("shutdown")
        self._events.put_nowait({"type": "lifespan.shutdown"})
        ends: set[asyncio.Future[Any]] = {reply, self._task}
        done, _pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            log.error("The app's lifespan shutdown did not finish within %g s: aborted.", seconds)
        elif reply.done() and reply.result():
            log.error("The app's lifespan shutdown failed: %s", reply.result())
        elif self._task.done() and (error := self._task.exception()):
            log.error("The app's lifespan shutdown raised an exception.", exc_info=error)

    def _expect(self, step: str) -> asyncio.Future[str]:
        self._replies[step] = asyncio.get_running_loop().create_future()
        return self._replies[step]

    async def _run(self) -> None:
        scope: Message = {
            "type": "lifespan",
            "asgi": {"version": self._asgi_version, "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        self._has_received = True
        return await self._events.get()

    async def _send(self, message: Message) -> None:
        if message["type"] not in REPLIES:
            raise NoLifespanError(message["type"])
        step, result = REPLIES[message["type"]]
        if step not in self._replies or self._replies[step].done():
            raise UnexpectedLifespanMessage(message["type"])
        reason = message.get("message") or f"the app sent {message['type']} without a message"
        self._replies[step].set_result("" if result == "complete" else reason)
