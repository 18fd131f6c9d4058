# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket that all workers share: accepting from it, and leaving it without losing a connection.

Accepting is our own, not asyncio's or uvloop's. Both take all that waits in one go, so that one worker may end up with
every long-lived connection; and asyncio drops a connection that it has accepted when its server closes before the
connection is attached to its protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
EXHAUSTED_PAUSE_SECONDS = 1.0
# A connection that was accepted is attached within a turn of the loop.
ATTACH_SECONDS = 5.0


class Listener:
    """The listening socket; once opened, each connection is handed to `adopt`."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)
        self._attaching: set[asyncio.Future[None]] = set()
        self._pause: asyncio.TimerHandle | None = None

    def open(self, adopt: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Begin to accept: one connection a turn of the loop, so that the other workers get theirs."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept, adopt)

    async def close(self, last: bool) -> list[socket.socket]:
        """Stop accepting, with every connection accepted so far attached to its protocol.

        With `last` nobody else accepts any more: gives the connections that still waited in the queue.
        """
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._pause is not None:
            self._pause.cancel()
        if self._attaching:
            await asyncio.wait(self._attaching, timeout=ATTACH_SECONDS)
        waiting = accept_all(self._socket) if last else []
        self._socket.close()
        return waiting

    def _accept(self, adopt: Callable[[socket.socket], Awaitable[None]]) -> None:
        try:
            accepted = self._socket.accept()[0]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # Another worker was quicker, or the client has gone again.
            return
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._wait_for_resources(adopt)
            return
        attaching = asyncio.ensure_future(adopt(accepted))
        self._attaching.add(attaching)
        attaching.add_done_callback(self._attached)

    def _attached(self, attaching: asyncio.Future[None]) -> None:
        self._attaching.discard(attaching)
        # A client that has left meanwhile is its own affair; whatever else went wrong must be heard of.
        if not attaching.cancelled() and not isinstance(attaching.exception(), (OSError, type(None))):
            attaching.result()

    def _wait_for_resources(self, adopt: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Leave the queue to the others for a while: its readiness would else be reported without end."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        self._pause = loop.call_later(EXHAUSTED_PAUSE_SECONDS, self.open, adopt)


def accept_all(listener: socket.socket) -> list[socket.socket]:
    """Accept every connection that waits in the queue of a listener that does not block."""
    accepted = []
    # An empty queue ends this well; whatever else does, such as no file descriptor left, must not lose what there is.
    with contextlib.suppress(OSError):
        while True:
            accepted.append(listener.accept()[0])
    return accepted
