# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request and its status. Serves the private probe and the heartbeat; knows no proxies and follows nothing."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import h11

from .config import Bind
from .events import Answer
from .reactor import READ, WRITE, Reactor

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


def dial(listener: socket.socket) -> socket.socket:
    """Begin to connect to whoever accepts from `listener`. Raises OSError."""
    connection = socket.socket(listener.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    address = listener.getsockname()
    if isinstance(address, tuple):
        address = (EVERY_ADDRESS.get(address[0], address[0]), *address[1:])
    found = connection.connect_ex(address)
    if found not in (0, errno.EINPROGRESS):
        connection.close()
        raise OSError(found, os.strerror(found))
    return connection


async def ask(reactor: Reactor, connect: Callable[[], socket.socket], request: Request, seconds: float) -> Answer:
    """Ask over a new connection, all of it within `seconds`; again while the answer is late through our own fault."""
    while (answer := await _ask_once(reactor, connect, request, seconds)).late:
        continue
    return answer


async def _ask_once(reactor: Reactor, connect: Callable[[], socket.socket], request: Request, seconds: float) -> Answer:
    began = time.monotonic()
    status: int | None = None
    error, late = "", False
    try:
        with connect() as connection:
            status = await _exchange(reactor, connection, request, began + seconds)
    except TimeoutError:
        error = f"no answer within {seconds:g} s"
        late = time.monotonic() - began > seconds + LATE_SECONDS
    except (OSError, h11.RemoteProtocolError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Answer(status, (time.monotonic() - began) * 1000, error, late)


async def _exchange(reactor: Reactor, connection: socket.socket, request: Request, until: float) -> int:
    async def ready(what: int) -> None:
        if not await reactor.ready(until, connection, what):
            raise TimeoutError

    protocol = h11.Connection(h11.CLIENT)
    asked = request.to_bytes(protocol)
    while asked:
        await ready(WRITE)
        # What became of the connecting is told by the first of these.
        asked = asked[connection.send(asked) :]
    status = 0
    while not isinstance(event := protocol.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            await ready(READ)
            data = connection.recv(READ_BYTES)
            if not data and not status:
                raise ConnectionError("the connection was closed without an HTTP answer")
            protocol.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
    return status
