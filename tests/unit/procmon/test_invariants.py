"""What holds whatever happens, in any order: tried with random histories."""

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
from procmon.core.actions import Abort, Exit, Kill
from procmon.core.events import (
    Accepted,
    DrainStarted,
    HeartbeatResult,
    Loaded,
    Probed,
    ProbeResult,
    ReleaseUnavailable,
    Restored,
    Started,
    Ticked,
    TimerFired,
    UpgradeChecked,
    UpgradeFailed,
    UpgradeRequested,
)
from procmon.core.worker import BOOTING, State, Worker

from tests.support.procmon.story import ILL, MISSING, WELL, Story

WORKERS = 3
UNREADABLE = ReleaseUnavailable("env_file = '/env' cannot be read", None)


class Procmon(RuleBasedStateMachine):
    """A core in a world that does as it likes."""

    surge = "all"

    def __init__(self) -> None:
        super().__init__()
        limits = {"max_requests": 50, "max_rss": "1G", "hang_timeout": 30}
        self.settings: dict[str, object] = {"workers": WORKERS, "reload": {"surge": self.surge}, "worker": limits}
        self.s = Story(**self.settings).begin()
        self.releases = 0
        self.answered = 0

    def some(self, number: int, *states: State) -> Worker:
        """Pick one of the workers in `states`."""
        found = self.s.workers(*states)
        return found[number % len(found)]

    def holders(self) -> set[int]:
        """Name the workers that hold a slot."""
        return {slot.worker.number for slot in self.s.core.pool.slots if slot.worker}

    @initialize(serving=st.booleans())
    def start(self, serving: bool) -> None:
        """Half of the histories begin with a procmon that serves: chance alone rarely brings one up."""
        if serving:
            self.go_on()

    @rule()
    def go_on(self) -> None:
        """Whatever is under way succeeds."""
        while event := self.s.next_success():
            self.s.tell(event)

    def switch(self) -> None:
        """Point the directory to another release: only a read of it shows this."""
        self.releases += 1
        self.s.path = f"/releases/{self.releases}"

    @rule()
    def touch(self) -> None:
        self.switch()
        self.s.touch()

    @rule()
    def hup(self) -> None:
        self.switch()
        self.s.hup()

    @rule(broken=st.sampled_from([None, None, MISSING, UNREADABLE]))
    def break_or_fix_the_directory(self, broken: ReleaseUnavailable | None) -> None:
        self.s.broken = broken

    @precondition(lambda self: self.s.core.reloads.active)
    @rule(newest=st.booleans())
    def delete_a_release(self, newest: bool) -> None:
        assert self.s.core.reloads.active
        self.s.deleted.add(self.s.path if newest else self.s.core.reloads.active.release.path)

    @rule()
    def ask_for_an_upgrade(self) -> None:
        self.s.tell(UpgradeRequested())

    @precondition(lambda self: self.s.core.upgrade.checking)
    @rule(error=st.sampled_from(["", "", "no h11"]))
    def try_the_successor(self, error: str) -> None:
        self.s.tell(UpgradeChecked(error))

    @precondition(lambda self: self.s.replacing)
    @rule(error=st.sampled_from(["", "", "Permission denied"]), reason=st.sampled_from(["", "other settings"]))
    def become_the_successor(self, error: str, reason: str) -> None:
        self.s.replacing = False
        if error or not self.s.core.is_idle():
            self.s.tell(UpgradeFailed(error))
        else:
            self.s = self.s.succeed(**self.settings).tell(Restored(reason))

    @precondition(lambda self: self.s.workers(*BOOTING))
    @rule(number=st.integers(0, 99), well=st.sampled_from([True, True, True, False]))
    def boot_one_step(self, number: int, well: bool) -> None:
        worker = self.some(number, *BOOTING)
        steps = {
            State.STARTING: Loaded(worker.number),
            State.LOADED: Started(worker.number),
            State.PROBING: Probed(worker.number, WELL if well else ILL),
        }
        self.s.tell(steps[worker.state])

    @precondition(lambda self: self.s.workers(State.ACCEPTING))
    @rule(number=st.integers(0, 99))
    def confirm(self, number: int) -> None:
        self.s.tell(Accepted(self.some(number, State.ACCEPTING).number))

    @precondition(lambda self: self.s.workers())
    @rule(number=st.integers(0, 99), how=st.sampled_from(["exit", "fail", "drain"]))
    def lose_one(self, number: int, how: str) -> None:
        worker = self.some(number, *State)
        if how == "exit":
            self.s.exited(worker, "SIGKILL")
        elif how == "fail":
            self.s.failed(worker)
        else:
            self.s.tell(DrainStarted(worker.number))

    @precondition(lambda self: self.s.workers(State.ACTIVE))
    @rule(number=st.integers(0, 99), requests=st.integers(0, 100), rss_bytes=st.sampled_from([1 << 20, 2 << 30]))
    def tick(self, number: int, requests: int, rss_bytes: int) -> None:
        self.s.tell(Ticked(self.some(number, State.ACTIVE).number, requests=requests, rss_bytes=rss_bytes))

    @precondition(lambda self: self.s.workers(State.ACTIVE))
    @rule(number=st.integers(0, 99))
    def hang(self, number: int) -> None:
        """One worker's loop turns no more, all others' do: it must be replaced."""
        stuck = self.some(number, State.ACTIVE)
        for _ in range(36):
            self.s.after(1, ticking=False)
            for worker in self.s.workers():
                if worker is not stuck:
                    self.s.tell(Ticked(worker.number))
        assert stuck.replace_reason or stuck.number not in self.holders()

    @rule(seconds=st.sampled_from([0.4, 5.0, 31.0, 400.0]), number=st.integers(0, 99))
    def stand_still(self, seconds: float, number: int) -> None:
        """The master itself stands still. What was sent meanwhile is read before the clock; no worker is killed."""
        serving, living = self.s.workers(State.ACTIVE), self.s.workers()
        self.s.now += seconds
        for worker in living[number % (len(living) + 1) :] + living[: number % (len(living) + 1)]:
            self.s.tell(Ticked(worker.number))
        self.s.tell(TimerFired())
        assert all(worker.state in (State.ACTIVE, State.DRAINING) for worker in serving)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 31.0, 61.0]), ticking=st.booleans())
    def wait(self, seconds: float, ticking: bool) -> None:
        self.s.after(seconds, ticking=ticking)

    @rule(status=st.sampled_from([200, 302, 500, None]), generations_ago=st.sampled_from([0, 0, 1]))
    def answer_the_heartbeat(self, status: int | None, generations_ago: int) -> None:
        answer, active = ProbeResult(status, 1.0, "" if status else "refused"), self.s.core.reloads.active
        self.s.tell(HeartbeatResult(active.number - generations_ago if active else 0, answer))

    @invariant()
    def no_worker_is_killed_twice(self) -> None:
        killed = [action.worker for action in self.s.acts if isinstance(action, Kill)]
        assert len(killed) == len(set(killed))

    @invariant()
    def answers_are_remembered(self) -> None:
        """A later reload for another reason, with the restart file gone, has no stamp of its own."""
        self.answered = max(self.answered, self.s.core.reloads.restart.stamp or 0)

    @invariant()
    def a_slot_has_one_holder_that_is_alive(self) -> None:
        for slot in self.s.core.pool.slots:
            for worker in (slot.worker, slot.replacement):
                assert worker is None or worker.number in self.s.core.pool.workers
                assert worker is None or worker.slot == slot.number
            assert slot.worker is None or slot.worker.state is State.ACTIVE

    @invariant()
    def only_the_accepting_are_called_serving(self) -> None:
        assert (self.s.state != "serving") or self.s.workers(State.ACTIVE)

    def calm_down(self) -> None:
        """Complete everything until nothing is under way."""
        for _ in range(12):
            self.s.proceed().end_drains().after(35)
        self.s.proceed().end_drains()

    def teardown(self) -> None:
        """Repair the world: the newest code serves with all workers, or is known to have failed; none is left over."""
        s = self.s
        s.broken = None
        s.deleted.clear()
        self.calm_down()
        self.answers_are_remembered()
        assert s.mark
        assert self.answered == s.mark.mtime_ns, "a touch was never answered"
        assert s.read == s.path, "a request to reload was lost"
        assert s.core.reloads.active
        assert s.core.reloads.active.release.path == s.path or s.core.reloads.restart.result == "failed"
        assert s.state == "serving"
        assert [worker.state for worker in s.workers()] == [State.ACTIVE] * WORKERS
        assert all(worker.generation is s.core.reloads.active for worker in s.workers())
        assert not s.done(Abort)


class OneByOne(Procmon):
    """The same with one extra worker at a time."""

    surge = "one"


class Stopping(Procmon):
    """The same with a procmon that is asked to stop, once or more."""

    @rule()
    def stop(self) -> None:
        self.s.stop()

    @invariant()
    def it_leaves_last(self) -> None:
        assert not self.s.done(Exit) or not self.s.workers()

    def teardown(self) -> None:
        """The remaining workers end, and then procmon."""
        self.s.stop()
        for worker in self.s.workers():
            self.s.exited(worker)
        assert self.s.left == 0


@pytest.mark.parametrize("machine", [Procmon, OneByOne, Stopping])
def test_invariants_hold_for_random_event_sequences(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
