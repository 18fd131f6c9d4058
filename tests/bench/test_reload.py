"""The short form of the reload measurement: what it counts must be nothing for procmon, and something for a control."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from tests.bench.reload.__main__ import LOOPS, PROTOCOLS, measure


@pytest.mark.parametrize("combination", [f"{loop}/{http}" for loop, http in product(LOOPS, PROTOCOLS)])
def test_no_request_is_lost_over_reloads(combination: str) -> None:
    """All styles of clients at once; none of them tries twice."""
    counts, reloads, _seconds = asyncio.run(measure("procmon", combination, reloads=5, requests=0, seed=1))
    assert reloads == 5
    assert dict(counts.lost) == {}
    assert all(counts.answered[style] for style in counts.answered)


def test_the_same_clients_notice_a_server_that_loses_requests() -> None:
    """Bare uvicorn closes idle connections unannounced: a measurement that does not see it sees nothing."""
    counts, _reloads, _seconds = asyncio.run(measure("uvicorn", "uvloop/httptools", reloads=3, requests=0, seed=1))
    assert counts.lost.total() > 0
