"""The last moment of an idle connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from procmon.worker.connections import close_idle, close_websocket, unread_bytes


class OnSocket:
    """The parts of a transport that closing needs. Like asyncio's, it closes later than the call."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closing = False

    def get_extra_info(self, name: str) -> socket.socket | None:
        """Return the socket."""
        return self.sock if name == "socket" else None

    def close(self) -> None:
        """Remember it."""
        self.closing = True


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a connected pair: the server's end and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_end_of_file_is_sent_before_an_idle_socket_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    transport = OnSocket(server)
    assert close_idle(SimpleNamespace(transport=transport))
    assert transport.closing
    assert client.recv(1) == b""


def test_connection_with_bytes_to_read_is_not_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    """A request has come between two looks of the event loop."""
    server, client = pair
    client.sendall(b"GET")
    assert unread_bytes(server.fileno()) == 3
    transport = OnSocket(server)
    assert not close_idle(SimpleNamespace(transport=transport))
    assert not transport.closing
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_connection_of_a_disconnected_peer_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    client.close()
    transport = OnSocket(server)
    assert close_idle(SimpleNamespace(transport=transport))
    assert transport.closing


def test_websocket_without_a_handshake_is_refused() -> None:
    """No close frame can be sent yet: uvicorn answers the request with an error."""
    calls: list[str] = []
    connection: Any = SimpleNamespace(
        close_timeout=10, handshake_complete=False, shutdown=lambda: calls.append("shutdown")
    )
    asyncio.run(close_websocket(connection))
    assert calls == ["shutdown"]
