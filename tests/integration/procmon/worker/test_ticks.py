"""When a worker sends its periodic report."""

from __future__ import annotations

import pytest
from procmon.worker.server import same_interval


@pytest.mark.parametrize(
    ("one", "other", "seconds", "same"),
    [
        (10.0, 14.999, 5.0, True),
        (14.0, 15.0, 5.0, False),
        (10.0, 20.1, 5.0, False),
        (10.0, 10.0, 0.0, False),
    ],
)
def test_all_workers_use_the_same_intervals(one: float, other: float, seconds: float, same: bool) -> None:
    assert same_interval(one, other, seconds) is same
