# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase that each of uvicorn's connections is in, and how to announce and make its end.

Everything here that reaches into uvicorn's protocols is pinned by the tests in `test_uvicorn_contract.py`.
"""

from __future__ import annotations

import array
import asyncio
import enum
import errno
import fcntl
import socket
import termios
from collections.abc import Callable, Mapping
from typing import Any

from .errors import WorkerError

Connection = Any  # uvicorn's protocol classes share no base class with these attributes
CLOSE_HEADER = (b"connection", b"close")
SERVICE_RESTART = 1012
DISCONNECTED = (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET)
WEBSOCKET_ECHO_SECONDS = 2.0  # how long the client has to answer the close frame


class Phase(enum.Enum):
    """The phase of a connection, which decides how it may end."""

    IDLE = "no byte of a request has arrived and no response is in progress"
    RECEIVING = "a part of a request's header has arrived"
    RESPONDING = "a request is being handled, or its response is still being written"
    WEBSOCKET = "a WebSocket is open"
    CLOSING = "closed on our side"


def partial_header_h11(connection: Connection) -> bool:
    """Return whether h11 holds bytes that are not a complete request yet."""
    return bool(connection.conn.trailing_data[0])


def partial_header_httptools(connection: Connection) -> bool:
    """Return whether httptools has started a request that the connection has not answered or queued yet."""
    if connection.scope is None:
        return False
    return connection.cycle is None or connection.cycle.scope is not connection.scope


PARTIAL_HEADER: Mapping[str, Callable[[Connection], bool]] = {
    "H11Protocol": partial_header_h11,
    "HttpToolsProtocol": partial_header_httptools,
}


def partial_header_of(protocol: type) -> Callable[[Connection], bool]:
    """Return the test for a partly received header. Raises WorkerError for a protocol that cannot be drained."""
    for parent in protocol.__mro__:
        if parent.__name__ in PARTIAL_HEADER:
            return PARTIAL_HEADER[parent.__name__]
    raise WorkerError(
        "import",
        f"[uvicorn] http: {protocol.__name__} cannot be drained without losing requests; use auto, h11 or httptools",
    )


class Inspector:
    """Determines the phase of each connection of one server; `http` is its HTTP protocol class."""

    def __init__(self, http: type) -> None:
        self._partial_header = partial_header_of(http)

    def phase(self, connection: Connection) -> Phase:
        """Return the phase of a connection."""
        if connection.transport.is_closing():
            return Phase.CLOSING
        if not hasattr(connection, "cycle"):
            return Phase.WEBSOCKET
        if is_responding(connection):
            return Phase.RESPONDING
        return Phase.RECEIVING if self._partial_header(connection) else Phase.IDLE

    def is_open(self, connection: Connection) -> bool:
        """Return whether the app has a WebSocket open, or a response to complete, on a connection."""
        return not hasattr(connection, "cycle") or awaiting_response(connection)

    def announce_close(self, connection: Connection) -> None:
        """Announce the close in the response to the newest request of a connection, if it has not started.

        An earlier response of a pipeline must not announce it: the requests behind it would stay unanswered.
        """
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.response_started or is_h11_pipeline(connection):
            return
        cycle.default_headers = [*cycle.default_headers, CLOSE_HEADER]


def override_addresses(connection: Connection, addresses: Mapping[str, Any]) -> None:
    """Set `client` or `server` of a new connection, in place of its socket's addresses: `(host, port)` or None."""
    connection_made = connection.connection_made

    def made(transport: asyncio.Transport) -> None:
        connection_made(transport)
        for name, address in addresses.items():
            setattr(connection, name, address and tuple(address))

    connection.connection_made = made


def is_responding(connection: Connection) -> bool:
    """Return whether a request is being handled, or its response still being written."""
    return awaiting_response(connection) or bool(connection.transport.get_write_buffer_size())


def awaiting_response(connection: Connection) -> bool:
    """Return whether the app still has to complete a response."""
    return connection.cycle is not None and not connection.cycle.response_complete


def is_h11_pipeline(connection: Connection) -> bool:
    """Return whether h11 holds a further request behind the one that is being handled."""
    return hasattr(connection, "conn") and not connection.cycle.more_body and partial_header_h11(connection)


def unread_bytes(fd: int) -> int:
    """Return how many bytes of a socket are waiting in the kernel to be read."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def close_idle(connection: Connection) -> bool:
    """Close an idle connection; return False when bytes have arrived after all, which will be read instead.

    The transport closes the socket in a later iteration of the loop. The write side is shut down at once, so that a
    client that sends in between has already received the end of file.
    """
    transport: asyncio.Transport = connection.transport
    fd = transport.get_extra_info("socket").fileno()
    if unread_bytes(fd):
        return False
    shut_writing(fd)
    transport.close()
    return True


def shut_writing(fd: int) -> None:
    """Send the end of file, ignoring a peer that has already disconnected."""
    sock = socket.socket(fileno=fd)  # not a duplicate: there may be no free descriptor
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno not in DISCONNECTED:
            raise
    finally:
        sock.detach()


async def close_websocket(connection: Connection) -> None:
    """Close a WebSocket with 1012 (service restart), giving its client a moment to answer.

    The app receives a disconnect; what it sends later is dropped, as after a disconnect by the client.
    """
    connection.close_timeout = WEBSOCKET_ECHO_SECONDS
    if hasattr(connection, "handshake_completed_event"):
        await _close_legacy_websocket(connection)
        return
    if not connection.handshake_complete:
        connection.shutdown()
        return
    if connection.close_sent:
        return
    await connection.send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": "service restart"})
    connection.disconnected = True


async def _close_legacy_websocket(connection: Connection) -> None:
    """Do the same for uvicorn's `ws = "websockets"`, which uses the legacy API of that library."""
    if not connection.handshake_completed_event.is_set():
        connection.shutdown()
        return
    connection.ws_server.closing = True
    await connection.close(SERVICE_RESTART, "service restart")
