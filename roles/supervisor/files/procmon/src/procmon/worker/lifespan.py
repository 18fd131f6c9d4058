# SPDX-License-Identifier: GPL-3.0-or-later
"""The app's lifespan: started before the first request, ended after the last.

uvicorn's own has two modes: `on` refuses apps without a lifespan, and `auto` takes an exception in the startup for
such an app and serves it broken. Here the app's behaviour tells: who has asked for the startup event has a lifespan.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .failure import WorkerError

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

ANSWERS = {
    f"lifespan.{step}.{result}": (step, result) for step in ("startup", "shutdown") for result in ("complete", "failed")
}
log = logging.getLogger("uvicorn.error")


class NoLifespanError(Exception):
    """The app answers the lifespan with messages of another protocol: it has none."""


class UnaskedAnswerError(Exception):
    """The app answers a lifespan event that it was not sent, or one a second time."""


class Lifespan:
    """One app's lifespan. `mode` is uvicorn's `lifespan` option: `auto`, `on` or `off`; `state` what requests share."""

    def __init__(self, app: App, asgi_version: str, mode: str) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._asgi_version = asgi_version
        self._mode = mode
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._asked = False
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the app. Raises WorkerError (stage `lifespan`) when it says or shows that it cannot start."""
        if self._mode == "off":
            return
        answer = self._expect("startup")
        self._task = asyncio.create_task(self._run(), name="lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        ends: set[asyncio.Future[Any]] = {answer, self._task}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            self._accept_startup(answer.result())
        else:
            self._judge_end(self._task)

    def _accept_startup(self, error: str) -> None:
        if error:
            raise WorkerError("lifespan", error)

    def _judge_end(self, task: asyncio.Task[None]) -> None:
        """Tell an app without a lifespan from one whose startup raised, or returned without an answer."""
        error = task.exception()
        self._task = None
        if error is None:
            return
        if self._mode == "on" or (self._asked and not isinstance(error, NoLifespanError)):
            raise WorkerError.of("lifespan", error)

    async def shutdown(self, seconds: float) -> None:
        """End the app, for at most `seconds`. What goes wrong is logged: nothing is left to be saved."""
        if self._task is None or self._task.done():
            return
        answer = self._expect("shutdown")
        self._events.put_nowait({"type": "lifespan.shutdown"})
        ends: set[asyncio.Future[Any]] = {answer, self._task}
        done, _pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            log.error("The app's lifespan shutdown has not ended after %g s: left behind.", seconds)
        elif answer.done() and answer.result():
            log.error("The app's lifespan shutdown failed: %s", answer.result())
        elif self._task.done() and (error := self._task.exception()):
            log.error("The app's lifespan shutdown raised.", exc_info=error)

    def _expect(self, step: str) -> asyncio.Future[str]:
        self._answers[step] = asyncio.get_running_loop().create_future()
        return self._answers[step]

    async def _run(self) -> None:
        scope: Message = {
            "type": "lifespan",
            "asgi": {"version": self._asgi_version, "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        self._asked = True
        return await self._events.get()

    async def _send(self, message: Message) -> None:
        if message["type"] not in ANSWERS:
            raise NoLifespanError(message["type"])
        step, result = ANSWERS[message["type"]]
        if step not in self._answers or self._answers[step].done():
            raise UnaskedAnswerError(message["type"])
        said = message.get("message") or f"the app sent {message['type']} without a message"
        self._answers[step].set_result("" if result == "complete" else said)
