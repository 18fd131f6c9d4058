"""The table of worker states and events, whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from procmon.core.actions import Kill
from procmon.core.events import (
    Accepted,
    DrainFinished,
    DrainStarted,
    Exited,
    Failed,
    Loaded,
    Probed,
    Spawned,
    Started,
    Ticked,
    WorkerEvent,
)
from procmon.core.worker import ACCEPTS, LEAVING, NEXT, State, UnexpectedEvent, Worker, step

from tests.support.procmon.story import WELL, Story


def kinds(of: type[WorkerEvent]) -> list[type[WorkerEvent]]:
    """Find every kind of event, so that the table cannot forget one."""
    return [kind for child in of.__subclasses__() for kind in (child, *kinds(child))]


WORKER_EVENTS = kinds(WorkerEvent)
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


def first_boot() -> tuple[Story, Worker]:
    """Return a story of the first worker ever."""
    s = Story().begin()
    return s, s.workers()[0]


def reload(surge: str = "all") -> tuple[Story, Worker]:
    """Return a story of the first worker of a second generation."""
    s = Story(reload={"surge": surge}).served().deploy("/releases/b")
    return s, s.workers(generation=2)[0]


def replacement() -> tuple[Story, Worker]:
    """Return a story of a worker that replaces one that was lost."""
    s = Story().served()
    s.exited(s.workers()[0], "SIGKILL")
    return s, s.workers(State.STARTING)[0]


COMING = [State.STARTING, State.LOADED, State.PROBING, State.READY, State.ACCEPTING, State.ACTIVE]
GOING = [State.DRAINING, State.DYING]
AT_ONCE: list[State] = [state for state in COMING if state is not State.READY]
"""Where no worker waits for another one before it may accept."""
ROADS: dict[str, tuple[Callable[[], tuple[Story, Worker]], list[State]]] = {
    "first boot": (first_boot, COMING),
    "reload": (reload, [*COMING, *GOING]),
    "one by one": (lambda: reload("one"), [*AT_ONCE, *GOING]),
    "replacement": (replacement, AT_ONCE),
    "stopping": (lambda: reload("all"), GOING),
}
PLACES = [(road, state) for road, (_, states) in ROADS.items() for state in states]


def reach(state: State, road: str = "reload") -> tuple[Story, Worker]:
    """Return a story in which one of two slots' workers comes to `state`, in the way in which that happens."""
    s, worker = ROADS[road][0]()
    if state in LEAVING:
        s = s.stop() if road == "stopping" else s.proceed()
        worker = s.workers(State.DRAINING)[0]
        return (s if state is State.DRAINING else s.tell(DrainFinished(worker.number))), worker
    for event in (Loaded(worker.number), Started(worker.number), Probed(worker.number, WELL), None):
        if worker.state is state:
            return s, worker
        if event:
            s.tell(event)
    for other in s.workers(State.STARTING):
        s.ready(other)
    return (s if worker.state is state else s.accepted(worker)), worker


def serving_before(s: Story, event: WorkerEvent) -> list[Worker]:
    """Return the workers that an event must not cost their place: all that serve but the one that it is about."""
    return [worker for worker in s.workers(State.ACTIVE) if worker.number != event.worker]


@pytest.mark.parametrize(("road", "state"), PLACES)
def test_every_state_can_be_reached(road: str, state: State) -> None:
    assert reach(state, road)[1].state is state


def test_every_state_is_reached_by_a_story() -> None:
    assert {state for _, state in PLACES} == set(LIVING)


@pytest.mark.parametrize("event", WORKER_EVENTS)
@pytest.mark.parametrize(("road", "state"), PLACES)
def test_the_service_recovers_from_any_event_of_a_worker_in_any_state(
    road: str, state: State, event: type[WorkerEvent]
) -> None:
    """Tells each event in each state; whatever that breaks, those who served before go on, and all do in the end."""
    s, worker = reach(state, road)
    sent = make(event, worker.number)
    others = serving_before(s, sent)
    s.tell(sent)
    assert s.core.pool.workers.get(worker.number) is None if step(state, event) is State.GONE else True
    if state is not State.ACCEPTING:
        assert all(other.state is State.ACTIVE for other in others)
    for _ in range(3):
        s.proceed().end_drains().after(2)
    s.proceed()
    if road == "stopping":
        assert (s.left, s.workers()) == (0, [])
        return
    assert s.state == "serving"
    assert [w.state for w in s.workers()] == [State.ACTIVE, State.ACTIVE]


@pytest.mark.parametrize("state", [state for state in LIVING if state not in LEAVING])
def test_an_event_that_a_state_does_not_allow_kills_the_worker(state: State) -> None:
    s, worker = reach(state)
    event = Spawned if state is not State.STARTING else Accepted
    assert Kill(worker.number) in s.tell(make(event, worker.number)).acts


@pytest.mark.parametrize("event", [event for event in WORKER_EVENTS if event is not Exited])
def test_late_events_of_a_dying_worker_are_ignored(event: type[WorkerEvent]) -> None:
    s, worker = reach(State.DYING)
    assert s.tell(make(event, worker.number)).acts == []


def test_a_tick_never_changes_a_state() -> None:
    assert all(step(state, Ticked) is state for state in LIVING)


def test_only_workers_that_may_accept_can_begin_to_drain() -> None:
    assert {state for state in LIVING if step(state, DrainStarted) is State.DRAINING} == ACCEPTS | {State.DRAINING}
