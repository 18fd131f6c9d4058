"""The app that is reloaded: it names its process and when that was born, and takes its time where asked to."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

Message = dict[str, object]

BORN = repr(time.monotonic()).encode()
SLOW_SECONDS = 1.5


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Read the body and answer with its length; `/slow` waits `SLOW_SECONDS` before it answers."""
    if scope["type"] != "http":
        return
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body = message.get("body", b"")
        length += len(body) if isinstance(body, bytes) else 0
        more = bool(message.get("more_body", False))
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_SECONDS)
    answer = b"%d" % length
    headers = [(b"content-length", b"%d" % len(answer)), (b"x-pid", b"%d" % os.getpid()), (b"x-born", BORN)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
