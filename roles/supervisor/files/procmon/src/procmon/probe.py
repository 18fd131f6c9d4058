# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request and its status. Serves the private probe and the heartbeat; knows no proxies and follows nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

import h11

from .config import Bind
from .events import Answer

READ_BYTES = 65536
LATE_SECONDS = 0.5
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to dial when bound to all


@dataclass(frozen=True)
class Request:
    """What to ask for."""

    path: str
    host: str

    def to_bytes(self, connection: h11.Connection) -> bytes:
        """Write it for the wire."""
        headers = [("Host", self.host), ("User-Agent", "procmon"), ("Accept", "*/*"), ("Connection", "close")]
        request = h11.Request(method="GET", target=self.path, headers=headers)
        return (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")


def default_host(bind: Bind) -> str:
    """Return the Host header of somebody who asks from this machine."""
    return "localhost" if bind.path else f"localhost:{bind.port}"


async def ask_timely(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask, and again for as long as the answer is late through our own fault."""
    while (answer := await ask()).late:
        continue
    return answer


async def ask_socket(open_socket: socket.socket, request: Request, seconds: float) -> Answer:
    """Ask over a connected socket, which is closed in the end; all of it within `seconds`."""
    return await _timed(_exchange_over(open_socket, request), seconds)


async def ask_bind(bind: Bind, request: Request, seconds: float) -> Answer:
    """Connect to where the workers listen and ask; all of it within `seconds`."""
    return await _timed(_exchange_with(bind, request), seconds)


async def _timed(exchange: Coroutine[None, None, int], seconds: float) -> Answer:
    began = time.monotonic()
    status: int | None = None
    error, late = "", False
    try:
        status = await asyncio.wait_for(exchange, seconds)
    except asyncio.TimeoutError:
        error = f"no answer within {seconds:g} s"
        late = time.monotonic() - began > seconds + LATE_SECONDS
    except (OSError, h11.RemoteProtocolError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Answer(status, (time.monotonic() - began) * 1000, error, late)


async def _exchange_over(open_socket: socket.socket, request: Request) -> int:
    reader, writer = await asyncio.open_connection(sock=open_socket)
    return await _exchange(reader, writer, request)


async def _exchange_with(bind: Bind, request: Request) -> int:
    if bind.path:
        reader, writer = await asyncio.open_unix_connection(bind.path)
    else:
        reader, writer = await asyncio.open_connection(EVERY_ADDRESS.get(bind.host, bind.host), bind.port)
    return await _exchange(reader, writer, request)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> int:
    connection = h11.Connection(h11.CLIENT)
    try:
        writer.write(request.to_bytes(connection))
        status = 0
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                data = await reader.read(READ_BYTES)
                if not data and not status:
                    raise ConnectionError("the connection was closed without an HTTP answer")
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
        return status
    finally:
        writer.close()
