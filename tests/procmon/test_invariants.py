"""What holds whatever happens, in any order: tried with histories that nobody has thought of."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from procmon.actions import Abort, Kill
from procmon.events import (
    Accepted,
    Answer,
    Drains,
    Event,
    Loaded,
    Mark,
    Probed,
    ReleaseGone,
    Started,
    Ticked,
    Touched,
    Woke,
)
from procmon.lifecycle import ACCEPTS, BOOTING, State, Worker

from .story import ILL, MISSING, WELL, Story

WORKERS = 3


class Procmon(RuleBasedStateMachine):
    """A core in a world that does as it likes."""

    surge = "all"

    def __init__(self) -> None:
        super().__init__()
        limits = {"max_requests": 50, "max_rss": "1G", "hang_timeout": 30}
        self.s = Story(workers=WORKERS, reload={"surge": self.surge}, worker=limits).begin()
        self.touches = 0
        self.answered = 0

    def some(self, number: int, *states: State) -> Worker:
        """Pick one of the workers in `states`."""
        found = self.s.workers(*states)
        return found[number % len(found)]

    def holders(self) -> set[int]:
        """Name the workers that hold a slot."""
        return {slot.holder.number for slot in self.s.core.pool.slots if slot.holder}

    def tell(self, event: Event) -> None:
        """Tell an event. An old worker may be told to drain only when as many as before go on to serve."""
        s, holders, served = self.s, self.holders(), len(self.s.workers(State.ACTIVE))
        s.tell(event)
        drained = holders & set(s.drains())
        if drained and s.core.active:
            assert len(s.workers(State.ACTIVE)) >= min(served, WORKERS)
            assert not drained & self.holders()

    @initialize(serving=st.booleans())
    def start(self, serving: bool) -> None:
        """Half of the histories begin with a procmon that serves: chance alone seldom brings one up."""
        if serving:
            self.go_on()

    @rule()
    def go_on(self) -> None:
        """Whatever is under way succeeds."""
        while event := self.s.next_success():
            self.tell(event)

    @rule()
    def touch(self) -> None:
        self.touches += 1
        mark = Mark(1, 1, 1000 + self.touches, 0)
        self.s.mark = mark
        self.s.release = self.s.release.__class__(f"/releases/{self.touches}")
        self.s.tell(Touched(mark))

    @rule()
    def hup(self) -> None:
        self.s.hup()

    @rule(missing=st.booleans())
    def break_or_mend_the_directory(self, missing: bool) -> None:
        self.s.broken = MISSING if missing else None

    @precondition(lambda self: self.s.workers(*BOOTING))
    @rule(number=st.integers(0, 99), well=st.sampled_from([True, True, True, False]))
    def boot_one_step(self, number: int, well: bool) -> None:
        worker = self.some(number, *BOOTING)
        steps = {
            State.STARTING: Loaded(worker.number),
            State.LOADED: Started(worker.number),
            State.PROBING: Probed(worker.number, WELL if well else ILL),
        }
        self.tell(steps[worker.state])

    @precondition(lambda self: self.s.workers(State.ACCEPTING))
    @rule(number=st.integers(0, 99))
    def confirm(self, number: int) -> None:
        self.tell(Accepted(self.some(number, State.ACCEPTING).number))

    @precondition(lambda self: self.s.workers())
    @rule(number=st.integers(0, 99), how=st.sampled_from(["exit", "fail", "drain"]))
    def lose_one(self, number: int, how: str) -> None:
        worker = self.some(number, *State)
        if how == "exit":
            self.s.exited(worker, "SIGKILL")
        elif how == "fail":
            self.s.failed(worker)
        else:
            self.s.tell(Drains(worker.number))

    @precondition(lambda self: self.s.workers(State.STARTING))
    @rule(number=st.integers(0, 99))
    def find_the_release_gone(self, number: int) -> None:
        self.s.tell(ReleaseGone(self.some(number, State.STARTING).number))

    @precondition(lambda self: self.s.workers(State.ACTIVE))
    @rule(number=st.integers(0, 99), requests=st.integers(0, 100), rss_bytes=st.sampled_from([1 << 20, 2 << 30]))
    def tick(self, number: int, requests: int, rss_bytes: int) -> None:
        self.tell(Ticked(self.some(number, State.ACTIVE).number, requests=requests, rss_bytes=rss_bytes))

    @precondition(lambda self: self.s.workers(State.ACTIVE))
    @rule(number=st.integers(0, 99))
    def hang(self, number: int) -> None:
        """One worker's loop turns no more, all others' do: somebody must come in its place."""
        stuck = self.some(number, State.ACTIVE)
        for _ in range(31):
            self.s.after(1, ticking=False)
            for worker in self.s.workers():
                if worker is not stuck:
                    self.tell(Ticked(worker.number))
        assert stuck.unwanted or stuck.number not in self.holders()

    @rule(seconds=st.sampled_from([0.4, 5.0, 31.0, 400.0]), number=st.integers(0, 99))
    def stand_still(self, seconds: float, number: int) -> None:
        """The master itself stands still. What was said meanwhile is heard before the clock, and nobody is blamed."""
        serving, living = self.s.workers(State.ACTIVE), self.s.workers()
        self.s.now += seconds
        for worker in living[number % (len(living) + 1) :] + living[: number % (len(living) + 1)]:
            self.tell(Ticked(worker.number))
        self.tell(Woke())
        assert all(worker.state in (State.ACTIVE, State.DRAINING) for worker in serving)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 31.0, 61.0]), ticking=st.booleans())
    def wait(self, seconds: float, ticking: bool) -> None:
        self.s.after(seconds, ticking=ticking)

    @rule(status=st.sampled_from([200, 302, 500, None]))
    def answer_the_heartbeat(self, status: int | None) -> None:
        self.s.beat_answered(Answer(status, 1.0, "" if status else "refused"))

    @invariant()
    def never_told_to_do_the_same_twice(self) -> None:
        told = [action.worker for action in self.s.acts if isinstance(action, Kill)]
        assert len(told) == len(set(told))

    @invariant()
    def answers_are_remembered(self) -> None:
        """A later reload for another reason, with the restart file gone, has no stamp of its own."""
        self.answered = max(self.answered, self.s.core.restart.stamp or 0)

    @invariant()
    def a_slot_has_one_holder_that_is_alive(self) -> None:
        for slot in self.s.core.pool.slots:
            for worker in (slot.holder, slot.incoming):
                assert worker is None or worker.number in self.s.core.pool.workers
                assert worker is None or worker.slot == slot.number
            assert slot.holder is None or slot.holder.state is State.ACTIVE

    @invariant()
    def no_more_workers_than_slots_and_one_rollout_need(self) -> None:
        wanted = [worker for worker in self.s.workers() if worker.state in BOOTING | ACCEPTS | {State.READY}]
        assert len(wanted) <= 3 * WORKERS

    @invariant()
    def the_future_is_in_the_future(self) -> None:
        due = self.s.core.deadline()
        assert due is None or due > self.s.now

    @invariant()
    def only_the_accepting_are_called_serving(self) -> None:
        assert (self.s.state != "serving") or self.s.workers(State.ACTIVE)

    def calm_down(self) -> None:
        """Let everything succeed until nothing is under way."""
        for _ in range(12):
            self.s.proceed().end_drains().after(35)
        self.s.proceed().end_drains()

    def teardown(self) -> None:
        """Mend the world: the newest code serves with all workers, and nobody is left over."""
        s = self.s
        s.broken = None
        self.calm_down()
        self.answers_are_remembered()
        assert s.mark
        assert self.answered == s.mark.mtime_ns, "a touch was never answered"
        s.hup()
        self.calm_down()
        assert s.state == "serving"
        assert [worker.state for worker in s.workers()] == [State.ACTIVE] * WORKERS
        assert s.core.active
        assert all(worker.generation is s.core.active for worker in s.workers())
        assert s.core.active.release.path == s.release.path, "a request to reload was lost"
        assert s.core.restart.result == "ok"
        assert not s.done(Abort)


class OneByOne(Procmon):
    """The same with one extra worker at a time."""

    surge = "one"


@pytest.mark.parametrize("machine", [Procmon, OneByOne])
def test_no_history_breaks_what_always_holds(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
