"""How single workers are replaced: crashed, stuck and worn out ones; and how procmon stops."""

from __future__ import annotations

import pytest
from procmon.core.actions import Abort, Drain, Exit, Kill, Spawn, Unlisten
from procmon.core.events import (
    Accepted,
    DrainFinished,
    DrainStarted,
    Event,
    Exited,
    Loaded,
    Probed,
    ReleaseGone,
    Started,
    Ticked,
)
from procmon.core.worker import State

from tests.support.procmon.story import ILL, Story


def test_a_crashed_worker_is_replaced_at_once_from_the_release_that_serves() -> None:
    s = Story().served()
    s.path = "/releases/not-deployed"
    s.exited(s.workers()[1], "SIGSEGV")
    assert [(action.slot, action.release.path) for action in s.done(Spawn)] == [(1, "/releases/a")]
    assert s.proceed().active(1) == 2


def test_an_exit_without_an_error_is_a_crash_as_well() -> None:
    s = Story().served()
    assert s.exited(s.workers()[0], "exit status 0").spawned() == [(0, 1)]


def test_a_crash_loop_slows_down_to_one_try_in_thirty_seconds() -> None:
    s = Story(workers=1).served()
    waits = []
    for _ in range(10):
        began = s.now
        s.exited(s.workers(State.ACTIVE)[0], "SIGSEGV")
        while not s.spawned():
            due = s.core.deadline()
            assert due
            s.after(due - s.now)
        waits.append(s.now - began)
        s.proceed()
    assert waits == [0, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_minute_of_health_ends_the_backoff() -> None:
    s = Story(workers=1).served()
    for _ in range(4):
        s.exited(s.workers(State.ACTIVE)[0], "SIGSEGV").after(30).proceed()
    s.after(61)
    assert s.exited(s.workers(State.ACTIVE)[0], "SIGSEGV").spawned() == [(0, 1)]


def test_slots_are_backed_off_independently() -> None:
    """A worker that is lost for the first time does not pay for its neighbour."""
    s = Story().served()
    for _ in range(3):
        s.exited(next(w for w in s.workers(State.ACTIVE) if w.slot == 0), "SIGSEGV").after(5).proceed()
    assert s.exited(next(w for w in s.workers(State.ACTIVE) if w.slot == 1), "SIGSEGV").spawned() == [(1, 1)]


def test_with_every_worker_lost_the_state_says_that_nothing_serves() -> None:
    s = Story().served()
    for worker in s.workers():
        s.exited(worker, "SIGKILL")
    assert s.state == "failed"
    assert s.proceed().state == "serving"


def test_a_crash_loop_is_reported_until_a_worker_holds_out() -> None:
    s = Story(workers=1).served()
    for _ in range(3):
        assert s.core.pool.crash_loop() == ""
        s.exited(s.workers(State.ACTIVE)[0], "SIGSEGV").after(5).proceed()
    assert s.core.pool.crash_loop().startswith("3 workers were lost in a row, the last: worker 3 (pid 103, ")
    assert "SIGSEGV" in s.core.pool.crash_loop()
    assert s.after(59).core.pool.crash_loop()
    assert s.after(1).core.pool.crash_loop() == ""


def test_a_hung_worker_is_replaced_first_and_then_writes_its_stack() -> None:
    s = Story(worker={"hang_timeout": 30}).served()
    stuck, well = s.workers()
    for _ in range(36):
        s.after(1, ticking=False).tell(Ticked(well.number))
    new = s.workers(State.STARTING)[0]
    assert new.slot == stuck.slot
    assert stuck.state is State.ACTIVE
    s.ready(new).accepted(new)
    assert s.done(Abort) == [Abort(stuck.number)]
    s.after(1, ticking=False)
    assert s.done(Kill) == [Kill(stuck.number)]
    assert s.exited(stuck, "SIGABRT").spawned() == []


def test_the_hang_timeout_is_extended_by_the_tick_interval() -> None:
    """It has sent nothing for 34 s, and its loop may have turned for the first five of them."""
    s = Story(worker={"hang_timeout": 30}, heartbeat={"interval": 0})
    assert s.served().after(34, ticking=False).done(Abort) == []
    assert len(s.after(1, ticking=False).done(Abort)) == 2


def test_a_hung_worker_that_recovers_before_it_is_replaced_is_drained() -> None:
    s = Story(worker={"hang_timeout": 30}).served()
    stuck, well = s.workers()
    for _ in range(36):
        s.after(1, ticking=False).tell(Ticked(well.number))
    s.tell(Ticked(stuck.number))
    new = s.workers(State.STARTING)[0]
    assert s.ready(new).accepted(new).drains() == [stuck.number]


def test_a_replacement_that_fails_its_probe_is_replaced_and_fails_no_reload() -> None:
    s = Story().served()
    before = s.core.reloads.restart
    s.exited(s.workers()[0], "SIGKILL")
    (new,) = s.workers(State.STARTING)
    s.tell(Loaded(new.number)).tell(Started(new.number)).tell(Probed(new.number, ILL))
    assert new.state is State.DYING
    s.exited(new).after(2)
    assert [worker.slot for worker in s.workers(State.STARTING)] == [new.slot]
    assert s.core.reloads.restart == before


@pytest.mark.parametrize("event", [Ticked(99), Exited(99, "SIGKILL"), ReleaseGone(99)])
def test_what_comes_from_a_worker_that_is_no_longer_there_changes_nothing(event: Event) -> None:
    s = Story().served()
    assert s.tell(event).acts == []
    assert (s.state, s.active(1)) == ("serving", 2)


def test_when_all_workers_hang_they_are_ended_without_waiting_for_replacements() -> None:
    s = Story(worker={"hang_timeout": 30}).served()
    s.after(36, ticking=False)
    assert len(s.done(Abort)) == 2
    assert len(s.spawned()) == 2


def test_a_stalled_master_does_not_replace_its_workers() -> None:
    """SIGSTOP, or a suspended machine: their ticks were not read in time."""
    s = Story(worker={"hang_timeout": 30}).served()
    s.after(5)
    s.now += 500
    assert not s.after(0, ticking=False).done(Abort)
    assert s.after(5).active(1) == 2


def test_a_master_that_stalled_for_the_hang_timeout_reads_its_messages_first() -> None:
    s = Story(heartbeat={"interval": 0}, worker={"hang_timeout": 30}).served()
    s.now += 31
    assert not s.tell(Ticked(s.workers()[0].number)).done(Abort)
    assert not s.spawned()


def test_a_stalled_master_extends_the_times_to_boot_and_to_drain() -> None:
    s = Story(workers=1, reload={"boot_timeout": 20, "drain_timeout": 10}).served().deploy("/releases/b").proceed()
    s.deploy("/releases/c")
    s.now += 500
    assert not s.after(0).done(Kill)
    assert not s.done(Abort)
    assert s.state == "reloading"
    assert s.proceed().active(3) == 1


@pytest.mark.parametrize(
    ("limits", "tick"),
    [
        ({"max_requests": 100}, {"requests": 100}),
        ({"max_rss": "300M"}, {"rss_bytes": 300 << 20}),
    ],
)
def test_workers_at_their_limits_are_replaced_one_at_a_time_replacement_first(
    limits: dict[str, object], tick: dict[str, int]
) -> None:
    s = Story(worker=limits).served()
    first, second = s.workers()
    s.tell(Ticked(first.number, **tick))
    assert s.spawned() == [(0, 1)]
    s.tell(Ticked(second.number, **tick))
    assert s.spawned() == [], "the other one waits for its turn"
    new = s.workers(State.STARTING)[0]
    assert s.ready(new).accepted(new).drains() == [first.number]
    assert [worker.slot for worker in s.workers(State.STARTING)] == [1]


def test_old_age_is_noticed_without_any_event() -> None:
    s = Story(workers=1, worker={"max_age": 100}, heartbeat={"interval": 0}).served()
    assert s.after(99).spawned() == []
    assert s.after(1).spawned() == [(0, 1)]


def test_no_worker_is_recycled_during_a_reload() -> None:
    s = Story(worker={"max_requests": 10}).served().deploy("/releases/b")
    s.tell(Ticked(s.workers(generation=1)[0].number, requests=10))
    assert s.spawned() == []


def test_a_worker_that_is_sent_a_signal_by_hand_is_replaced_while_it_drains() -> None:
    s = Story().served()
    worker = s.workers()[0]
    assert s.tell(DrainStarted(worker.number)).spawned() == [(0, 1)]
    s.tell(DrainFinished(worker.number)).exited(worker)
    assert s.proceed().active(1) == 2


def test_a_drain_that_overruns_is_ended() -> None:
    s = Story(workers=1, reload={"drain_timeout": 30}).served().deploy("/releases/b").proceed()
    old = s.workers(State.DRAINING)[0]
    assert not s.after(48).done(Abort)
    assert s.after(1).done(Abort) == [Abort(old.number)]
    assert s.after(1).done(Kill) == [Kill(old.number)]


def test_a_worker_that_does_not_exit_after_its_final_message_is_killed() -> None:
    s = Story(workers=1).served().deploy("/releases/b").proceed()
    old = s.workers(State.DRAINING)[0]
    s.tell(DrainFinished(old.number, cut=2))
    assert "had to abort 2 requests" in s.logged[-1]
    assert s.after(5).done(Kill) == [Kill(old.number)]


def test_a_worker_that_sends_an_unexpected_message_is_killed() -> None:
    s = Story().served()
    worker = s.workers()[0]
    s.tell(Accepted(worker.number))
    assert s.done(Kill) == [Kill(worker.number)]
    assert s.spawned() == [(0, 1)]


def test_sigterm_drains_all_workers_and_then_exits_with_0() -> None:
    s = Story(reload={"drain_timeout": 20}).served()
    s.stop()
    assert s.acts == [Unlisten(), Drain(1, 20.0, last=True), Drain(2, 20.0, last=True)]
    assert s.state == "stopping"
    s.end_drains()
    assert s.acts == [Exit(0)]


def test_sigterm_kills_what_only_boots() -> None:
    s = Story().served().deploy("/releases/b")
    booting = s.workers(generation=2)[0]
    s.stop()
    assert s.done(Kill) == [Kill(booting.number)]
    assert len(s.drains()) == 2


def test_a_second_sigterm_means_at_once() -> None:
    s = Story().served().stop().stop()
    assert [action.worker for action in s.done(Kill)] == [1, 2]
    assert s.proceed().acts == [Exit(0)]


def test_sigterm_before_there_is_a_worker_exits_at_once() -> None:
    assert Story().stop().acts == [Unlisten(), Exit(0)]


def test_nothing_is_started_any_more_while_stopping() -> None:
    s = Story().served().stop()
    s.exited(s.workers()[0], "SIGKILL")
    assert not s.spawned()
    assert not s.touch().acts
    assert not s.hup().acts


def test_a_worker_that_drains_by_itself_after_a_while_is_replaced_without_a_penalty() -> None:
    """Such as by SIGTERM to the worker alone: its slot must not wait longer each time."""
    s = Story(workers=1).served()
    for _ in range(5):
        worker = s.after(11).workers(State.ACTIVE)[0]
        assert len(s.tell(DrainStarted(worker.number)).spawned()) == 1
        s.tell(DrainFinished(worker.number)).exited(worker).proceed()
    assert (s.core.pool.crash_loop(), s.state) == ("", "serving")


def test_a_worker_that_drains_as_soon_as_it_serves_is_a_crash_loop() -> None:
    s = Story(workers=1).served()
    for _ in range(3):
        worker = s.workers(State.ACTIVE)[0]
        s.tell(DrainStarted(worker.number)).exited(worker).after(5).proceed()
    assert s.core.pool.crash_loop()
