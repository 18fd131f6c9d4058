# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers 503 while there is nothing to serve, to clients of a socket that systemd holds: they would hang otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import h11

RETRY_AFTER_SECONDS = 5
REQUEST_SECONDS = 5.0
LINGER_SECONDS = 1.0
RETRY_SECONDS = 1.0
"""How long to leave the queue alone when a client cannot be accepted, such as for want of a descriptor."""
READ_BYTES = 65536
MAX_CLIENTS = 64
"""Answered at the same time; the others wait in the socket's queue."""


class Unavailable:
    """Answers on `listener` between `start` and `stop`; a socket that does not listen yet is left alone."""

    def __init__(self, listener: socket.socket, name: str) -> None:
        self._listener = listener
        self._fd = listener.fileno()
        self._name = name
        self._reason = ""
        self._clients: set[asyncio.Task[None]] = set()
        self._accepting = False

    def start(self, reason: str) -> None:
        """Accept and refuse. The reason is for users: no detail of the failure."""
        self._reason = reason
        self._resume()

    def stop(self) -> None:
        """Leave the queue to the workers; those accepted already get their answer."""
        self._reason = ""
        self._pause()

    def _resume(self) -> None:
        listens = self._listener.fileno() >= 0 and self._listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if self._reason and listens and not self._accepting:
            self._accepting = True
            asyncio.get_running_loop().add_reader(self._fd, self._accept)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            asyncio.get_running_loop().remove_reader(self._fd)

    def _accept(self) -> None:
        try:
            client = self._listener.accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._pause()
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._resume)
            return
        task = asyncio.get_running_loop().create_task(self._refuse(client, self._reason))
        self._clients.add(task)
        task.add_done_callback(self._done)
        if len(self._clients) >= MAX_CLIENTS:
            self._pause()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        if len(self._clients) < MAX_CLIENTS:
            self._resume()

    async def _refuse(self, client: socket.socket, reason: str) -> None:
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        connection = h11.Connection(h11.SERVER)
        with client, contextlib.suppress(OSError, asyncio.TimeoutError, h11.ProtocolError):
            request = await asyncio.wait_for(_read_request(client, connection), REQUEST_SECONDS)
            answer = refusal(connection, request, f"{self._name}: {reason}\n")
            await asyncio.wait_for(loop.sock_sendall(client, answer), REQUEST_SECONDS)
            # Closing with bytes unread would reset the connection before the client has read its answer.
            client.shutdown(socket.SHUT_WR)
            await asyncio.wait_for(_discard(client), LINGER_SECONDS)


async def _read_request(client: socket.socket, connection: h11.Connection) -> h11.Request:
    while not isinstance(event := connection.next_event(), h11.Request):
        if event is not h11.NEED_DATA:
            raise ConnectionError("the client closed the connection without a request")
        connection.receive_data(await asyncio.get_running_loop().sock_recv(client, READ_BYTES))
    return event


async def _discard(client: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(client, READ_BYTES):
        pass


def refusal(connection: h11.Connection, request: h11.Request, text: str) -> bytes:
    """Return the response to `request` for the wire."""
    body = text.encode()
    headers = [
        ("Retry-After", str(RETRY_AFTER_SECONDS)),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    head = connection.send(h11.Response(status_code=503, reason=b"Service Unavailable", headers=headers)) or b""
    return head if request.method == b"HEAD" else head + body
