"""The styles of clients: each is one request after another, the way some real client does it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from tests.bench.reload.client import Connection, request

GET = request()
BODY = b"x" * 1000
POST = request("POST", length=len(BODY)) + BODY
PIECES = [BODY[start : start + 200] for start in range(0, len(BODY), 200)]
# A connection that is silent for idle_grace, 5 s, may be closed; on a machine that is too busy a sleep can take that.
SILENT_SECONDS = 4.5

Style = Callable[[Connection, random.Random], Awaitable[object]]


async def fresh(connection: Connection, _: random.Random) -> None:
    """A connection for each request."""
    await connection.ask(GET)
    connection.close()


async def back_to_back(connection: Connection, _: random.Random) -> None:
    """Keep-alive, the next request at once."""
    await connection.ask(GET)


async def thinking(connection: Connection, chance: random.Random) -> None:
    """Keep-alive with 5 to 50 ms between requests: the connection is idle when the drain begins."""
    await connection.ask(GET)
    await asyncio.sleep(chance.uniform(0.005, 0.05))


async def posting(connection: Connection, chance: random.Random) -> None:
    """Keep-alive POST, which no client may send twice."""
    await connection.ask(POST)
    await asyncio.sleep(chance.uniform(0.0, 0.02))


async def slow(connection: Connection, _: random.Random) -> None:
    """A request that takes 1.5 s and is in flight when the drain begins."""
    await connection.ask(request(path="/slow"))


async def late(connection: Connection, chance: random.Random) -> None:
    """Connect, wait up to 1.5 s, and only then send."""
    await connection.open()
    await asyncio.sleep(chance.uniform(0.0, 1.5))
    await connection.ask(GET)
    connection.close()


async def half_head(connection: Connection, chance: random.Random) -> None:
    """Half of the head, up to a second later the rest; on a fresh and then on the reused connection."""
    await connection.ask(GET[:12], GET[12:], pause=chance.uniform(0.0, 1.0))


async def slow_body(connection: Connection, chance: random.Random) -> None:
    """A body that comes in five pieces over up to two seconds."""
    await connection.ask(request("POST", length=len(BODY)), *PIECES, pause=chance.uniform(0.0, 0.4))


async def idle(connection: Connection, chance: random.Random) -> None:
    """Keep-alive with up to four seconds between requests; one that is woken too late connects again."""
    await connection.ask(GET)
    answered = time.monotonic()
    await asyncio.sleep(chance.uniform(0.5, 4.0))
    if time.monotonic() - answered > SILENT_SECONDS:
        connection.close()


# How many clients of each style run at once: the slow ones need numbers to be there when a drain begins.
CLIENTS: dict[Style, int] = {
    fresh: 6,
    back_to_back: 6,
    thinking: 16,
    posting: 8,
    slow: 8,
    late: 16,
    half_head: 8,
    slow_body: 8,
    idle: 16,
}
