# SPDX-License-Identifier: GPL-3.0-or-later
"""The control channel to the master: one JSON object a datagram, sockets passed beside it."""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any

DATAGRAM_BYTES = 65536
FAREWELL_SECONDS = 2.0  # how long the last message may wait for a master that does not read


@dataclass(frozen=True)
class Order:
    """One message of the master. `type` is `gone` when the channel has ended: the master is no more."""

    type: str
    body: dict[str, Any] = field(default_factory=dict)
    fds: tuple[int, ...] = ()

    def discard(self) -> None:
        """Close the sockets of an order that is not followed."""
        for fd in self.fds:
            os.close(fd)


GONE = Order("gone")


class Control:
    """The worker's end of the channel: blocking until `attach`, then led by the event loop."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)  # else the app's children would keep the channel open
        self._outbox: deque[bytes] = deque()
        self._orders: asyncio.Queue[Order] = asyncio.Queue()

    def fileno(self) -> int:
        """Give the channel's file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the channel."""
        self._socket.close()

    def has_ended(self) -> bool:
        """Say whether the master has gone."""
        poll = select.poll()
        poll.register(self._socket, 0)  # no event asked for: poll then tells of the peer's end alone
        return bool(poll.poll(0))

    def say(self, message: dict[str, Any]) -> None:
        """Send a message before there is a loop; one to a master that is gone counts as sent."""
        self._try(json.dumps(message).encode())

    def read(self) -> Order:
        """Read one order. Raises BlockingIOError when there is none and the channel does not block."""
        try:
            data, fds, _flags, _address = socket.recv_fds(
                self._socket, DATAGRAM_BYTES, maxfds=4, flags=socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # the master went with messages of ours unread
            return GONE
        if not data:
            return GONE
        body = json.loads(data)
        return Order(body["type"], body, tuple(fds))

    def attach(self) -> None:
        """Let the running event loop read the channel: from now on orders come from `next_order`."""
        # A queue made outside of a loop belongs to none in Python 3.10 and later.
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._collect)

    async def next_order(self) -> Order:
        """Wait for the next order."""
        return await self._orders.get()

    def order_ourselves(self, order: Order) -> None:
        """Queue an order as though the master had sent it."""
        self._orders.put_nowait(order)

    def _collect(self) -> None:
        try:
            order = self.read()
        except BlockingIOError:
            return
        if order is GONE:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._orders.put_nowait(order)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive: it waits for a master that does not read. Needs `attach`."""
        self._outbox.append(json.dumps(message).encode())
        self._flush()

    def offer(self, message: dict[str, Any]) -> bool:
        """Send a message that the next one replaces: dropped, which is False, while others wait."""
        return not self._outbox and self._try(json.dumps(message).encode())

    def send_last(self, message: dict[str, Any]) -> None:
        """Send what waits and then `message`; give up after `FAREWELL_SECONDS` each. No loop is needed.

        The channel stays open, for its end is what tells the master that the process has gone.
        """
        self._socket.settimeout(FAREWELL_SECONDS)
        for data in (*self._outbox, json.dumps(message).encode()):
            self._try(data)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._outbox and self._try(self._outbox[0]):
            self._outbox.popleft()
        if self._outbox:
            loop.add_writer(self._socket, self._flush)
        else:
            loop.remove_writer(self._socket)

    def _try(self, data: bytes) -> bool:
        """Send a datagram; False when the master does not read. A message to a master that is gone counts as sent."""
        try:
            self._socket.send(data)
        except (BlockingIOError, TimeoutError):
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True
        return True
