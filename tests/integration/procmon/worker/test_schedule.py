"""When a drain closes what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from procmon.worker.connections import Phase
from procmon.worker.drain import Schedule

SECONDS = st.floats(0, 3600)
UNIT = st.floats(0, 1)


@given(SECONDS, SECONDS, UNIT)
def test_websockets_end_between_the_grace_and_the_deadline(seconds: float, grace: float, jitter: float) -> None:
    schedule = Schedule.starting(0.0, seconds, grace)
    assert not schedule.is_due(Phase.WEBSOCKET, 0.0, min(grace, seconds) - 1e-6, jitter)
    assert schedule.is_due(Phase.WEBSOCKET, 0.0, schedule.deadline, jitter)


@given(SECONDS, SECONDS, SECONDS)
def test_shortening_never_postpones(seconds: float, grace: float, sooner: float) -> None:
    schedule = Schedule.starting(0.0, seconds, grace)
    schedule.shorten(sooner)
    assert schedule.deadline == min(seconds, sooner)
    assert schedule.is_due(Phase.WEBSOCKET, 0.0, schedule.deadline, 1.0)


def test_idle_connection_has_its_grace_from_its_own_silence() -> None:
    """A stream that ends during a drain leaves a connection on which no close was announced."""
    schedule = Schedule.starting(100.0, 30, 5)
    assert not schedule.is_due(Phase.IDLE, 110.0, 114.9)
    assert schedule.is_due(Phase.IDLE, 110.0, 115.0)


def test_idle_connection_is_due_at_the_deadline_at_the_latest() -> None:
    schedule = Schedule.starting(100.0, 30, 5)
    assert schedule.is_due(Phase.IDLE, 129.0, 130.0)


@given(SECONDS, SECONDS, st.sampled_from([Phase.RECEIVING, Phase.RESPONDING, Phase.CLOSING]))
def test_what_is_under_way_is_never_due(silent_since: float, now: float, phase: Phase) -> None:
    """The deadline cuts it, which is another matter."""
    assert not Schedule.starting(0.0, 30, 5).is_due(phase, silent_since, now)
