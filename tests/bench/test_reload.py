"""The short form of the reload measurement: what it counts must be nothing for procmon, and something for a control."""

from __future__ import annotations

import asyncio
import tempfile
import time
from itertools import product
from pathlib import Path

import pytest

from tests.bench.reload.__main__ import LOOPS, PROTOCOLS, measure
from tests.bench.reload.client import Change, Connection, LostError, request
from tests.bench.reload.load import Counts
from tests.bench.reload.servers import ACTIONS, Procmon, Uvicorn
from tests.bench.reload.styles import CLIENTS
from tests.support.ports import free_port


def assert_all_are_answered(counts: Counts) -> None:
    """Assert that clients of each style were there, and that none of them lost anything."""
    assert dict(counts.lost) == {}
    assert [style.__name__ for style in CLIENTS if not counts.answered[style.__name__]] == []


@pytest.mark.parametrize("combination", [f"{loop}/{http}" for loop, http in product(LOOPS, PROTOCOLS)])
def test_no_request_is_lost_over_reloads(combination: str) -> None:
    """All styles of clients at once; none of them tries twice."""
    counts, reloads, _seconds = asyncio.run(measure(Procmon, combination, times=5, requests=0, seed=1))
    assert reloads == 5
    assert_all_are_answered(counts)


@pytest.mark.parametrize("combination", ["uvloop/httptools", "asyncio/h11"])
@pytest.mark.parametrize(("action", "times"), [("recycle", 2), ("upgrade", 3), ("restart", 2)])
def test_no_request_is_lost_over_upgrades_recycles_and_restarts(action: str, times: int, combination: str) -> None:
    counts, done, _seconds = asyncio.run(measure(ACTIONS[action], combination, times, requests=0, seed=1))
    assert done == times
    assert_all_are_answered(counts)


def test_the_same_clients_notice_a_server_that_loses_requests() -> None:
    """Bare uvicorn closes idle connections unannounced: a measurement that does not see it sees nothing."""
    counts, _reloads, _seconds = asyncio.run(measure(Uvicorn, "uvloop/httptools", times=3, requests=0, seed=1))
    assert counts.lost.total() > 0


def test_the_same_clients_notice_a_worker_that_should_accept_no_more() -> None:
    """No worker was born after the future."""

    async def ask() -> None:
        with tempfile.TemporaryDirectory() as folder:
            server = Procmon(free_port(), "uvloop", "httptools", Path(folder))
            await server.start()
            try:
                now = time.monotonic()
                await Connection(server.port, [Change(now + 3600, now - 3600)]).ask(request())
            finally:
                await server.stop()

    with pytest.raises(LostError, match="accepted by a worker of before the reload"):
        asyncio.run(ask())
