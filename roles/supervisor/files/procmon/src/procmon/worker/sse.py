# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events: a stream that ends with its worker ends as a complete response.

Such a stream has no end of its own, and its client reconnects whenever it ends. It is cancelled at the drain's
deadline, or its app returns earlier, as sse-starlette does when it notices the shutdown. Any other response that is cut
must look incomplete: no client may take half a file for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[Any]]
END = {"type": "http.response.body", "body": b"", "more_body": False}


def finish_on_cancel(app: App) -> App:
    """Return an app that behaves as `app`, but completes an event stream that it leaves open or is cancelled in."""

    async def serve(scope: Message, receive: Receive, send: Send) -> Any:  # noqa: ANN401 - uvicorn checks what it is
        if scope["type"] != "http":
            return await app(scope, receive, send)
        response = Response(send)
        result = None
        try:
            result = await app(scope, receive, response.send)
        except asyncio.CancelledError:
            if not response.is_open_event_stream:
                raise
        if response.is_open_event_stream:
            await send({**END})
        return result

    return serve


class Response:
    """One response; `is_open_event_stream` is true from the start of an event stream to its end."""

    __slots__ = ("_send", "is_open_event_stream")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_open_event_stream = False

    def send(self, message: Message) -> Awaitable[None]:
        """Send the next part: no coroutine of its own, which would cost each request one more."""
        if message["type"] == "http.response.start":
            self.is_open_event_stream = is_event_stream(message)
        elif self.is_open_event_stream and message["type"] == "http.response.body":
            self.is_open_event_stream = bool(message.get("more_body", False))
        return self._send(message)


def is_event_stream(start: Message) -> bool:
    """Return whether an `http.response.start` message has the content type of an event stream."""
    for name, value in start.get("headers", ()):
        if name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream"):
            return True
    return False
