# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket that all workers share: accepting from it, and leaving it without losing a connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable

ATTACH_TICKS = 3  # turns of the loop after which an accepted connection belongs to its server


class ListeningSocket(socket.socket):
    """The master listens already: whatever queue it has asked for is kept."""

    def listen(self, backlog: int = 0, /) -> None:
        """Do nothing."""


class Listener:
    """The listening socket, and the server that accepts from it once opened."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)
        self._server: asyncio.AbstractServer | None = None

    async def open(
        self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None, backlog: int
    ) -> None:
        """Begin to accept. `backlog` is the queue's length for loops that set it anew."""
        # asyncio takes its backlog for the number of connections to accept in one turn too: one at a time spreads
        # few long-lived connections more evenly over the workers.
        once = 1 if self._is_asyncio() else backlog
        copy = ListeningSocket(fileno=os.dup(self._socket.fileno()))
        self._server = await asyncio.get_running_loop().create_server(protocol, sock=copy, ssl=context, backlog=once)

    async def close(self, last: bool) -> list[socket.socket]:
        """Stop accepting, with every connection accepted so far attached to its protocol.

        With `last` nobody else accepts any more: gives the connections that still waited in the queue.
        """
        if self._server is not None:
            await self._close_server(self._server)
        waiting = accept_all(self._socket) if last else []
        self._socket.close()
        return waiting

    async def _close_server(self, server: asyncio.AbstractServer) -> None:
        if self._is_asyncio():
            # asyncio drops an accepted connection when its server is closed before the connection is attached to it.
            for sock in getattr(server, "sockets", ()):
                asyncio.get_running_loop().remove_reader(sock.fileno())
            await turns(ATTACH_TICKS)
            server.close()
        else:
            server.close()
            await turns(ATTACH_TICKS)

    def _is_asyncio(self) -> bool:
        return isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)


async def turns(count: int) -> None:
    """Let the event loop turn `count` times."""
    for _turn in range(count):
        await asyncio.sleep(0)


def accept_all(listener: socket.socket) -> list[socket.socket]:
    """Accept every connection that waits in the queue of a listener that does not block."""
    accepted = []
    # An empty queue ends this well; whatever else does, such as no file descriptor left, must not lose what there is.
    with contextlib.suppress(OSError):
        while True:
            accepted.append(listener.accept()[0])
    return accepted
