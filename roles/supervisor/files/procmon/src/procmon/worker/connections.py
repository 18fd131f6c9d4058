# SPDX-License-Identifier: GPL-3.0-or-later
"""What uvicorn's connections are doing, and how one is told, or made, to end.

Everything here that reaches into uvicorn's protocols is pinned by `tests/procmon/worker/test_uvicorn_contract.py`.
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

from .failure import WorkerError

Connection = Any  # uvicorn's protocol classes share no base that has what is used here
CLOSE_HEADER = (b"connection", b"close")
SERVICE_RESTART = 1012
GONE_PEER = (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET)
WEBSOCKET_ECHO_SECONDS = 2.0  # how long a WebSocket's client has to answer the close frame


class Phase(enum.Enum):
    """What a connection is doing, as far as its end is concerned."""

    IDLE = "no byte of a request has come and no response is under way"
    RECEIVING = "a part of a request's header has come"
    RESPONDING = "a request is being answered, or its answer is still being written"
    WEBSOCKET = "a WebSocket is open"
    CLOSING = "closed on our side"


def half_header_h11(connection: Connection) -> bool:
    """Tell whether h11 holds bytes that are no whole request yet."""
    return bool(connection.conn.trailing_data[0])


def half_header_httptools(connection: Connection) -> bool:
    """Tell whether httptools has begun a request that the connection has not answered or queued yet."""
    if connection.scope is None:
        return False
    return connection.cycle is None or connection.cycle.scope is not connection.scope


HALF_HEADER: Mapping[str, Callable[[Connection], bool]] = {
    "H11Protocol": half_header_h11,
    "HttpToolsProtocol": half_header_httptools,
}


def half_header_of(protocol: type) -> Callable[[Connection], bool]:
    """Give the test for a half-received header. Raises WorkerError for a protocol that cannot be drained."""
    for parent in protocol.__mro__:
        if parent.__name__ in HALF_HEADER:
            return HALF_HEADER[parent.__name__]
    raise WorkerError(
        "import",
        f"[uvicorn] http: {protocol.__name__} cannot be drained without losing requests; use auto, h11 or httptools",
    )


class Inspector:
    """Tells the phase of a connection of one server; `http` is its HTTP protocol class."""

    def __init__(self, http: type) -> None:
        self._half_header = half_header_of(http)

    def phase(self, connection: Connection) -> Phase:
        """Tell what a connection is doing."""
        if connection.transport.is_closing():
            return Phase.CLOSING
        if not hasattr(connection, "cycle"):
            return Phase.WEBSOCKET
        if is_responding(connection):
            return Phase.RESPONDING
        return Phase.RECEIVING if self._half_header(connection) else Phase.IDLE

    def announce_close(self, connection: Connection) -> None:
        """Announce the close on the newest request of a connection, if its response has not begun.

        An earlier request of a pipeline must not: the ones behind it would stay unanswered.
        """
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.response_started or is_h11_pipeline(connection):
            return
        cycle.default_headers = [*cycle.default_headers, CLOSE_HEADER]


def is_responding(connection: Connection) -> bool:
    """Tell whether a request is being answered, or its answer still being written."""
    return is_asked(connection) or bool(connection.transport.get_write_buffer_size())


def is_asked(connection: Connection) -> bool:
    """Tell whether the app has yet to end a response."""
    return connection.cycle is not None and not connection.cycle.response_complete


def is_h11_pipeline(connection: Connection) -> bool:
    """Tell whether h11 holds a further request behind the one that is being answered."""
    return hasattr(connection, "conn") and not connection.cycle.more_body and half_header_h11(connection)


def unread_bytes(fd: int) -> int:
    """Tell how many bytes the kernel holds for a socket that nobody has read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def close_idle(connection: Connection) -> bool:
    """Close a connection that is idle; False when bytes have come after all, which will be read instead.

    The transport closes the socket in a later turn of the loop. The write side is therefore shut at once: a client
    that sends meanwhile has been told before.
    """
    transport: asyncio.Transport = connection.transport
    fd = transport.get_extra_info("socket").fileno()
    if unread_bytes(fd):
        return False
    shut_writing(fd)
    transport.close()
    return True


def shut_writing(fd: int) -> None:
    """Send the end of file; a peer that has gone already needs none."""
    sock = socket.socket(fileno=fd)  # no copy: there may be no descriptor left for one
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno not in GONE_PEER:
            raise
    finally:
        sock.detach()


async def close_websocket(connection: Connection) -> None:
    """Close a WebSocket with 1012 (service restart), leaving its client a moment to answer.

    The app sees a disconnect; what it sends later is dropped as for a client that has gone.
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
    """Do the same for uvicorn's `ws = "websockets"`, which is a connection of that library's older kind."""
    if not connection.handshake_completed_event.is_set():
        connection.shutdown()
        return
    connection.ws_server.closing = True
    await connection.close(SERVICE_RESTART, "service restart")
