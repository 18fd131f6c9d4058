"""A site for releases: tells its version and its process, is as well as the file `health` says, and can misbehave."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VERSION = (HERE / "VERSION").read_text()
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await act(scope["path"], scope["query_string"].decode())
    body = f"{VERSION} {os.getpid()} {os.environ.get('COLOUR', '')} {Path.cwd()} {sys.path[0]}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status(scope["path"]), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def status(path: str) -> int:
    """Return the site's health."""
    health = HERE.parent / "health"
    return int(health.read_text()) if path == "/" and health.exists() else 200


async def act(path: str, query: str) -> None:
    """Do what the path says: stop the loop, end the process, or wait for a file."""
    if path == "/block":
        time.sleep(3600)
    if path == "/exit":
        os._exit(7)
    if path == "/hold":
        Path(query + ".held").write_text(str(os.getpid()))
        while not Path(query + ".go").exists():
            await asyncio.sleep(0.01)
