"""An app whose paths behave in the ways that a drain must cope with. Query strings name barrier files."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve one of the behaviours by the path's first word."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await PATHS.get(scope["path"], hello)(scope, receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    """Start at once; at the end leave a file where STOPPED names one."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if "STOPPED" in os.environ:
        Path(os.environ["STOPPED"]).touch()
    await send({"type": "lifespan.shutdown.complete"})


async def websocket(receive: Receive, send: Send) -> None:
    """Echo; at the disconnect write its code into the file that WS_CODE names."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    if "WS_CODE" in os.environ:
        Path(os.environ["WS_CODE"]).write_text(str(message.get("code")))


async def respond(send: Send, body: bytes) -> None:
    """ProbeResult 200 with a body."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(_scope: Message, _receive: Receive, send: Send) -> None:
    """Return which process answers."""
    await respond(send, str(os.getpid()).encode())


async def scope_of(scope: Message, _receive: Receive, send: Send) -> None:
    """Return what the app knows about the connection."""
    await respond(send, json.dumps({key: scope[key] for key in ("client", "server", "scheme", "path")}).encode())


async def body_length(_scope: Message, receive: Receive, send: Send) -> None:
    """Read the whole body and tell its length."""
    length = 0
    more = True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await respond(send, str(length).encode())


async def hold(scope: Message, _receive: Receive, send: Send) -> None:
    """Make `<query>.held`, and answer when `<query>.go` is there."""
    barrier = scope["query_string"].decode()
    Path(barrier + ".held").touch()
    while not Path(barrier + ".go").exists():
        await asyncio.sleep(0.01)
    await respond(send, b"held")


async def stubborn(scope: Message, _receive: Receive, _send: Send) -> None:
    """Make `<query>.held`, and never end, cancelled or not."""
    Path(scope["query_string"].decode() + ".held").touch()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


async def events(_scope: Message, _receive: Receive, send: Send) -> None:
    """Send events without an end."""
    await stream(send, b"text/event-stream")


async def download(_scope: Message, _receive: Receive, send: Send) -> None:
    """Send a file without an end."""
    await stream(send, b"application/octet-stream")


async def stream(send: Send, kind: bytes) -> None:
    """Send a response of a kind without an end."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    while True:
        await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
        await asyncio.sleep(0.02)


async def large(_scope: Message, _receive: Receive, send: Send) -> None:
    """Send a body that no socket buffer holds, in one piece."""
    await respond(send, b"x" * LARGE)


LARGE = 16 * 1024 * 1024
PATHS: dict[str, Callable[[Message, Receive, Send], Awaitable[None]]] = {
    "/body": body_length,
    "/download": download,
    "/events": events,
    "/hold": hold,
    "/large": large,
    "/scope": scope_of,
    "/stubborn": stubborn,
}
