"""The table of worker states and events, whole."""

from __future__ import annotations

import pytest
from procmon.actions import Kill
from procmon.events import (
    WORKER_EVENTS,
    Accepted,
    Drained,
    Drains,
    Exited,
    Failed,
    Loaded,
    Probed,
    Spawned,
    Started,
    Ticked,
    WorkerEvent,
)
from procmon.lifecycle import ACCEPTS, LEAVING, NEXT, State, UnexpectedEvent, Worker, step

from .story import WELL, Story

LIVING = [state for state in State if state is not State.GONE]
PAIRS = [(state, event) for state in LIVING for event in WORKER_EVENTS]
NAMES = [f"{state.value}-{event.__name__}" for state, event in PAIRS]


def make(kind: type[WorkerEvent], worker: int) -> WorkerEvent:
    """Build an event of any kind."""
    if kind is Spawned:
        return Spawned(worker, 4711)
    if kind is Probed:
        return Probed(worker, WELL)
    if kind is Failed:
        return Failed(worker, "serve", "boom")
    return Exited(worker, "SIGKILL") if kind is Exited else kind(worker)


def test_every_pair_is_decided() -> None:
    assert set(PAIRS) == set(NEXT)


def test_an_undecided_pair_is_an_error_that_names_it() -> None:
    with pytest.raises(UnexpectedEvent, match="Spawned is not decided for a worker that is gone"):
        step(State.GONE, Spawned)


def reach(state: State) -> tuple[Story, Worker]:
    """Tell a story in which one of two slots' workers comes to `state`, in the way in which that happens."""
    s = Story(workers=2).served()
    if state is State.ACTIVE:
        return s, s.workers()[0]
    s.deploy("/releases/b")
    if state in LEAVING:
        worker = s.proceed().workers(State.DRAINING)[0]
        return (s if state is State.DRAINING else s.tell(Drained(worker.number))), worker
    worker = s.workers(generation=2)[0]
    road = {State.STARTING: 0, State.LOADED: 1, State.PROBING: 2, State.READY: 3, State.ACCEPTING: 3}
    for event in (Loaded(worker.number), Started(worker.number), Probed(worker.number, WELL))[: road[state]]:
        s.tell(event)
    return (s.ready(s.workers(State.STARTING)[0]) if state is State.ACCEPTING else s), worker


@pytest.mark.parametrize("state", LIVING)
def test_every_state_can_be_reached(state: State) -> None:
    assert reach(state)[1].state is state


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=NAMES)
def test_whatever_a_worker_says_in_any_state_the_service_recovers(state: State, event: type[WorkerEvent]) -> None:
    """Tells each event in each state; whatever that breaks, two workers serve in the end."""
    s, worker = reach(state)
    s.tell(make(event, worker.number))
    assert s.core.pool.workers.get(worker.number) is None if step(state, event) is State.GONE else True
    for _ in range(3):
        s.proceed().end_drains().after(2)
    s.proceed()
    assert s.state == "serving"
    assert [w.state for w in s.workers()] == [State.ACTIVE, State.ACTIVE]


@pytest.mark.parametrize("state", [state for state in LIVING if state not in LEAVING])
def test_an_event_that_a_state_does_not_allow_costs_the_worker_its_life(state: State) -> None:
    s, worker = reach(state)
    event = Spawned if state is not State.STARTING else Accepted
    assert Kill(worker.number) in s.tell(make(event, worker.number)).acts


@pytest.mark.parametrize("event", [event for event in WORKER_EVENTS if event is not Exited])
def test_old_news_of_a_worker_that_dies_leads_to_nothing(event: type[WorkerEvent]) -> None:
    s, worker = reach(State.DYING)
    assert s.tell(make(event, worker.number)).acts == []


def test_a_tick_never_changes_a_state() -> None:
    assert all(step(state, Ticked) is state for state in LIVING)


def test_only_those_who_may_accept_can_begin_to_drain() -> None:
    assert {state for state in LIVING if step(state, Drains) is State.DRAINING} == ACCEPTS | {State.DRAINING}
