"""All clients at once, until they are stopped."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.bench.reload.client import Change, Connection, LostError
from tests.bench.reload.styles import CLIENTS, Style

# A server that answers nothing must not be asked a million times a second.
PAUSE_AFTER_LOSS_SECONDS = 0.05


@dataclass
class Counts:
    """Requests that were answered, and those that were lost, by style and kind."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)


class Load:
    """Runs the clients of every style against a port of this machine."""

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.seed = port, seed
        self.counts = Counts()
        self.changes: list[Change] = []
        self.stopping = False
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every client."""
        for style, number in CLIENTS.items():
            for client in range(number):
                chance = random.Random(f"{self.seed} {style.__name__} {client}")  # noqa: S311  # repeatable, not secret
                self.tasks.append(asyncio.create_task(self._client(style, chance)))

    async def stop(self) -> Counts:
        """Finish the request of every client, and return the counts."""
        self.stopping = True
        await asyncio.gather(*self.tasks)
        return self.counts

    async def _client(self, style: Style, chance: random.Random) -> None:
        connection = Connection(self.port, self.changes)
        while not self.stopping:
            try:
                await style(connection, chance)
            except LostError as lost:
                self.counts.lost[style.__name__, lost.kind] += 1
                await asyncio.sleep(PAUSE_AFTER_LOSS_SECONDS)
            else:
                self.counts.answered[style.__name__] += 1
        connection.close()
