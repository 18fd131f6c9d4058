"""The smallest service: returns the version that answers, and for /from how it was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
VERSION = (Path(__file__).parent / "VERSION").read_text().strip()
if VERSION.startswith("broken"):
    raise RuntimeError(f"this version does not start: {VERSION}")


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the version."""
    if scope["type"] != "http":
        return
    await receive()
    body = (f"{scope['scheme']} {scope['client'][0]}" if scope["path"] == "/from" else VERSION).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
