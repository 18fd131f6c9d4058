"""Reloads under load: while one worker drains and the next accepts on the same listener, no request is lost."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from tests.support.procmon.fake_master import Address, Client, Worker, connect, head
from tests.support.waiting import until

Start = Callable[..., Worker]
ROUNDS = 4


class Load:
    """Clients of several styles, each a thread that asks again and again and never retries."""

    def __init__(self, address: Address) -> None:
        self.answered: Counter[str] = Counter()
        self.lost: list[str] = []
        self._address = address
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_on, args=(style, seed))
            for seed, style in enumerate([fresh, busy, thinking, hesitant, halting, uploading] * 2)
        ]

    def _ask_on(self, style: Callable[[Client, Load], None], seed: int) -> None:
        while not self._ending.is_set():
            try:
                with contextlib.closing(Client(connect(self._address))) as client:
                    style(client, self)
            except (OSError, AssertionError) as error:
                self.lost.append(f"{style.__name__} {seed}: {error!r}")

    def ask(self, client: Client, style: str, *parts: bytes) -> bool:
        """Send a request in parts, with a pause between them; return whether the connection may be used again."""
        for part in parts[:-1]:
            client.send(part)
            self.pause(0.05)
        client.send(parts[-1])
        response = client.response()
        assert response.status == 200
        self.answered[style] += 1
        return not response.closes and not self._ending.is_set()

    def pause(self, seconds: float) -> None:
        """Wait for up to `seconds`, less when the load ends."""
        self._ending.wait(random.uniform(0, seconds))  # noqa: S311 - spreads the load, guards nothing

    def has_grown_since(self, seen: Counter[str]) -> bool:
        """Return whether every style has had answers since then."""
        return all(self.answered[style] > count for style, count in seen.items())

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        """Run the clients for as long as the block lasts, then let each finish what it is at."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join()


def fresh(client: Client, load: Load) -> None:
    """A connection for each request."""
    load.ask(client, "fresh", head())


def busy(client: Client, load: Load) -> None:
    """Back to back on one connection."""
    while load.ask(client, "busy", head()):
        pass


def thinking(client: Client, load: Load) -> None:
    """One connection with pauses between the requests."""
    while load.ask(client, "thinking", head()):
        load.pause(0.05)


def hesitant(client: Client, load: Load) -> None:
    """Connects before it knows what to ask."""
    load.pause(0.5)
    load.ask(client, "hesitant", head())


def halting(client: Client, load: Load) -> None:
    """Sends its headers in two parts."""
    while load.ask(client, "halting", head()[:17], head()[17:]):
        pass


def uploading(client: Client, load: Load) -> None:
    """Sends its body in two parts."""
    while load.ask(client, "uploading", head("/body", "POST", 2000) + b"x" * 1000, b"x" * 1000):
        pass


def test_no_request_is_lost_while_workers_change(start: Start, server: dict[str, str], listener: socket.socket) -> None:
    old = start(idle_grace=2.0, **server).accepting()
    with Load(listener.getsockname()).running() as load:
        for _ in range(ROUNDS):
            new = start(idle_grace=2.0, **server).accepting()
            seen = load.answered.copy()
            old.command("drain", seconds=30)
            assert old.drained() == 0
            until(partial(load.has_grown_since, seen), "an answer to each style")
            old = new
    assert load.lost == []
    assert len(load.answered) == 6
