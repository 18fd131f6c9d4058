# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel between a worker and its master: one JSON object per datagram, with sockets passed beside it.

Three ways to send, by what a master that does not read may cost: `send` queues, `try_send` drops, and `send_final`,
after the event loop, blocks.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any

DATAGRAM_BYTES = 65536
FINAL_SEND_SECONDS = 2.0  # how long the final message may wait for a master that does not read


@dataclass(frozen=True)
class Command:
    """One message of the master. `type` is `closed` when the channel has been closed: the master has exited."""

    type: str
    body: dict[str, Any] = field(default_factory=dict)
    fds: tuple[int, ...] = ()

    def discard(self) -> None:
        """Close the sockets of a command that is not carried out."""
        for fd in self.fds:
            os.close(fd)


CHANNEL_CLOSED = Command("closed")


class Channel:
    """The worker's end of the channel: blocking until `attach`, then read and written by the event loop."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._pid = os.getpid()
        self._socket.set_inheritable(False)  # a program that the app starts would keep the channel open
        self._outbox: deque[bytes] = deque()
        self._commands: asyncio.Queue[Command] = asyncio.Queue()

    def fileno(self) -> int:
        """Return the channel's file descriptor."""
        return self._socket.fileno()

    def is_inherited(self) -> bool:
        """Return whether this process is a forked child of the worker, which must not speak for it."""
        return os.getpid() != self._pid

    def read(self) -> Command:
        """Read one command. Raises BlockingIOError when there is none and the channel does not block."""
        try:
            data, fds, _flags, _address = socket.recv_fds(
                self._socket, DATAGRAM_BYTES, maxfds=4, flags=socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # the master has exited without reading all our messages
            return CHANNEL_CLOSED
        if not data:
            return CHANNEL_CLOSED
        body = json.loads(data)
        return Command(body["type"], body, tuple(fds))

    def attach(self) -> None:
        """Read the channel with the running event loop: from now on commands come from `next_command`."""
        # A queue made outside of a loop belongs to none in Python 3.10 and later.
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._collect)

    async def next_command(self) -> Command:
        """Wait for the next command."""
        return await self._commands.get()

    def inject(self, command: Command) -> None:
        """Queue a command as if the master had sent it."""
        self._commands.put_nowait(command)

    def _collect(self) -> None:
        try:
            command = self.read()
        except BlockingIOError:
            return
        if command is CHANNEL_CLOSED:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._commands.put_nowait(command)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive: it is queued for a master that does not read. Needs `attach`."""
        self._outbox.append(json.dumps(message).encode())
        self._flush()

    def try_send(self, message: dict[str, Any]) -> bool:
        """Send a message that the next one replaces; return False when it was dropped, because others wait."""
        return not self._outbox and self._try(json.dumps(message).encode())

    def send_final(self, message: dict[str, Any]) -> None:
        """Send the queued messages and then `message`, waiting `FINAL_SEND_SECONDS` at most for each. Needs no loop.

        The channel stays open, since its end tells the master that the process has exited.
        """
        self._socket.settimeout(FINAL_SEND_SECONDS)
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
        """Send a datagram; return False when the master does not read. After the master's exit, it counts as sent."""
        try:
            self._socket.send(data)
        except (BlockingIOError, TimeoutError):
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True
        return True
