"""The demo's app: each response names the version and the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

Message = dict[str, object]

VERSION = "v1"


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request after a tenth of a second, so that a reload always finds some in flight."""
    if scope["type"] != "http":
        return
    await receive()
    await asyncio.sleep(0.1)
    body = f"{VERSION} from process {os.getpid()}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})
