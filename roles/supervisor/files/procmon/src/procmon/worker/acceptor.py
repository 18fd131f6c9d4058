# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket that all workers share: accepting from it, and closing it without losing a connection.

This replaces the accept loops of asyncio and uvloop. Both accept all waiting connections in one go, so that one worker
may end up with every long-lived connection; and asyncio drops a connection that it has accepted when its server closes
before the connection is attached to its protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable

Serve = Callable[[socket.socket], Awaitable[None]]

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
EXHAUSTED_PAUSE_SECONDS = 1.0
# An accepted connection is attached within one iteration of the loop.
ATTACH_SECONDS = 5.0


class Acceptor:
    """The listening socket; once opened, each accepted connection is passed to `serve`."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)
        self._attaching: set[asyncio.Future[None]] = set()
        self._pause: asyncio.TimerHandle | None = None

    def open(self, serve: Serve) -> None:
        """Start accepting: one connection per iteration of the loop, so that the other workers get theirs."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept, serve)

    async def close(self, last: bool) -> list[socket.socket]:
        """Stop accepting, once every connection accepted so far is attached to its protocol.

        With `last`, no other worker accepts any more: return the connections that still waited in the queue.
        """
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._pause is not None:
            self._pause.cancel()
        if self._attaching:
            await asyncio.wait(self._attaching, timeout=ATTACH_SECONDS)
        waiting = accept_all(self._socket) if last else []
        self._socket.close()
        return waiting

    def _accept(self, serve: Serve) -> None:
        try:
            accepted = self._socket.accept()[0]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # Another worker was faster, or the client has disconnected.
            return
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._wait_for_resources(serve)
            return
        attaching = asyncio.ensure_future(serve(accepted))
        self._attaching.add(attaching)
        attaching.add_done_callback(self._attached)

    def _attached(self, attaching: asyncio.Future[None]) -> None:
        self._attaching.discard(attaching)
        # An OSError means that the client has disconnected; any other exception must be reported.
        if not attaching.cancelled() and not isinstance(attaching.exception(), (OSError, type(None))):
            attaching.result()

    def _wait_for_resources(self, serve: Serve) -> None:
        """Leave the queue to the other workers for a while, instead of retrying in a busy loop."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        self._pause = loop.call_later(EXHAUSTED_PAUSE_SECONDS, self.open, serve)


def accept_all(listener: socket.socket) -> list[socket.socket]:
    """Accept every connection that waits in the queue of a non-blocking listener."""
    accepted = []
    # It ends with an empty queue; any other end, such as no free descriptor, must not lose what was accepted.
    with contextlib.suppress(OSError):
        while True:
            accepted.append(listener.accept()[0])
    return accepted
