"""One HTTP/1.1 connection of a strict client: it never tries twice, and obeys `Connection: close`.

Written on sockets because what is tested is the moment between two bytes: a client library would hide or repair it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ANSWER_SECONDS = 45.0
LEAVE_SECONDS = 3.0
"""A worker accepts until it has read the order to drain; on a busy machine this may take a moment."""


class LostError(Exception):
    """Raised when a request was not answered as it should be; `kind` names how."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass
class Answer:
    """What came back."""

    status: int
    pid: str
    born: float
    close: bool
    body: bytes


class Change(NamedTuple):
    """From `done` on no worker that was born before `began` accepts; seconds on the machine's monotonic clock."""

    began: float
    done: float


def request(method: str = "GET", path: str = "/", length: int = 0) -> bytes:
    """Return the head of a request with a body of `length` bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n"
    return (head + (f"Content-Length: {length}\r\n\r\n" if method == "POST" else "\r\n")).encode()


def parse(head: bytes, body: bytes = b"") -> Answer:
    """Read the head of an answer."""
    lines = head.decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    status, close = int(lines[0].split()[1]), headers.get("connection") == "close"
    return Answer(status, headers.get("x-pid", ""), float(headers.get("x-born", "0")), close, body)


class Connection:
    """Opened when first used, and again after the server announced that it closes."""

    def __init__(self, port: int, changes: Sequence[Change] = ()) -> None:
        self.port, self.changes = port, changes
        self.opened = 0.0
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect where there is no connection. Raises LostError when it is refused."""
        if self.writer is None:
            self.opened = time.monotonic()
            try:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                raise LostError(f"connect {type(error).__name__}") from error

    def close(self) -> None:
        """Close it, if it is open."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Send `pieces` with `pause` seconds before each but the first."""
        await self.open()
        assert self.writer is not None
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause)
            self.writer.write(piece)

    async def answer(self) -> Answer:
        """Read one answer. Raises LostError when there is none, or one that is not 200."""
        assert self.reader is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await self.reader.readuntil(b"\r\n\r\n")
                body = await self.reader.readexactly(self._length(head))
        except asyncio.IncompleteReadError as error:
            raise LostError("cut answer" if error.partial else "closed without an answer") from error
        except TimeoutError as error:
            raise LostError("no answer in time") from error
        except OSError as error:
            raise LostError(type(error).__name__) from error
        return self._judge(parse(head, body))

    @staticmethod
    def _length(head: bytes) -> int:
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(line.split(b":")[1])
        raise LostError("answer without a length")

    def _judge(self, answer: Answer) -> Answer:
        if answer.close:
            self.close()
        if answer.status != 200:
            raise LostError(f"status {answer.status}")
        if self._is_stale(answer):
            raise LostError("accepted by a worker of before the reload")
        return answer

    def _is_stale(self, answer: Answer) -> bool:
        over = (change for change in reversed(self.changes) if self.opened > change.done + LEAVE_SECONDS)
        change = next(over, None)
        return change is not None and answer.born < change.began

    async def ask(self, *pieces: bytes, pause: float = 0.0) -> Answer:
        """Send `pieces` and read the answer. Raises LostError."""
        try:
            await self.send(*pieces, pause=pause)
            return await self.answer()
        except LostError:
            self.close()
            raise
