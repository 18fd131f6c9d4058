# SPDX-License-Identifier: GPL-3.0-or-later
"""Event streams (SSE) that a drain's deadline cuts: to their clients and proxies they end, and do not break off.

Such a stream has no end of its own, and its client connects again whenever it has ended. Any other response that is cut
must look cut: nobody may take half a file for a whole one.
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


def ending_streams(app: App) -> App:
    """Give an app that does what `app` does, and ends an event stream in which it is cancelled."""

    async def serve(scope: Message, receive: Receive, send: Send) -> Any:  # noqa: ANN401 - uvicorn looks at it
        if scope["type"] != "http":
            return await app(scope, receive, send)
        response = Response(send)
        try:
            return await app(scope, receive, response.send)
        except asyncio.CancelledError:
            if not response.streams_events:
                raise
            await send({**END})

    return serve


class Response:
    """One response on its way. `streams_events` holds from the begin of an event stream to its end."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.streams_events = False

    async def send(self, message: Message) -> None:
        """Send the next part."""
        if message["type"] == "http.response.start":
            self.streams_events = is_event_stream(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.streams_events = False
        await self._send(message)


def is_event_stream(start: Message) -> bool:
    """Tell whether a response is one, by its begin."""
    types = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return any(value.lower().startswith(b"text/event-stream") for value in types)
