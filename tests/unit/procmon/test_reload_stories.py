"""How one generation follows the other, event by event."""

from __future__ import annotations

import pytest
from procmon.core.actions import Abort, Accept, Drain, Kill, Listen, ResolveRelease
from procmon.core.events import (
    Exited,
    FileStamp,
    Loaded,
    Probed,
    ProbeResult,
    Release,
    ReleaseGone,
    ReleaseResolved,
    ReleaseUnavailable,
    ReloadRequested,
    Started,
    Ticked,
    Touched,
)
from procmon.core.pool import OVERRUN_SECONDS
from procmon.core.reload import reload_limit_seconds
from procmon.core.worker import BOOTING, LEAVING, State

from tests.support.procmon.story import ILL, MISSING, Story, config


def test_the_first_worker_proves_the_release_before_the_others_are_started() -> None:
    """A release that cannot work shall cost one process, not all."""
    s = Story(workers=3).begin()
    assert s.spawned() == [(0, 1)]
    assert s.ready(s.workers()[0]).spawned() == [(1, 1), (2, 1)]
    assert s.accepts() == []


def test_no_worker_accepts_before_all_are_ready() -> None:
    s = Story(workers=2).begin()
    first = s.workers()[0]
    s.ready(first)
    second = s.workers(State.STARTING)[0]
    assert s.ready(second).accepts() == [first.number, second.number]
    assert s.acts.index(Listen()) < s.acts.index(Accept(first.number))


def test_the_app_is_asked_before_it_may_serve() -> None:
    s = Story(workers=1).begin()
    worker = s.workers()[0]
    s.tell(Started(worker.number))
    assert s.state == "failed", "a worker that skips its own import is not trusted"
    s = Story(workers=1).served()
    assert s.state == "serving"


def test_old_workers_drain_only_when_all_new_ones_accept() -> None:
    s = Story(workers=2).served().deploy("/releases/b")
    old = [worker.number for worker in s.workers(generation=1)]
    s.ready(s.workers(generation=2)[0])
    assert not s.drains()
    s.ready(s.workers(State.STARTING)[0])
    assert not s.drains()
    first, second = s.workers(State.ACCEPTING)
    assert not s.accepted(first).drains()
    assert s.accepted(second).drains() == old
    assert (s.state, s.core.reloads.restart.result) == ("serving", "ok")


def test_the_answer_names_the_touch_that_the_release_was_read_after() -> None:
    s = Story().served().deploy("/releases/b").proceed()
    assert s.mark
    assert s.core.reloads.restart.stamp == s.mark.mtime_ns
    assert s.core.reloads.active
    assert s.core.reloads.active.release.path == "/releases/b"


def test_the_same_touch_reported_late_changes_nothing() -> None:
    """A reload by signal reads the stamp itself; the watch may report it afterwards."""
    s = Story().served()
    s.mark = FileStamp(1, 1, 99, 0)
    s.hup().proceed()
    assert s.tell(Touched(s.mark)).acts == []


def test_a_release_that_fails_to_import_leaves_the_old_workers_alone() -> None:
    s = Story().served().deploy("/releases/broken")
    before = s.workers(State.ACTIVE)
    s.failed(s.workers(generation=2)[0], "Traceback ...\nNameError: x").proceed()
    assert s.workers(State.ACTIVE) == before
    assert s.core.reloads.restart.result == "failed"
    assert s.core.reloads.restart.error.endswith("NameError: x")
    assert s.core.reloads.active
    assert s.core.reloads.active.release.path == "/releases/a"
    assert s.state == "serving"


def test_a_worker_that_just_exits_is_a_failure_with_its_last_words() -> None:
    """An app may call os._exit: exit status 0 is no success for a worker that has to serve."""
    s = Story().served().deploy("/releases/b")
    s.exited(s.workers(generation=2)[0], "exit status 0")
    assert "exit status 0" in s.core.reloads.restart.error


def test_an_app_that_answers_its_probe_with_an_error_never_serves() -> None:
    s = Story().served().deploy("/releases/b")
    worker = s.workers(generation=2)[0]
    worker.state = State.PROBING
    s.tell(Probed(worker.number, ILL))
    assert s.done(Drain) == [Drain(worker.number, 0.0)], "a kill would come before it has written why"
    assert (s.state, s.done(Kill)) == ("reloading", [])
    s.tell(Exited(worker.number, "exit status 0", "Traceback ...\nKeyError: 'x'"))
    error = s.core.reloads.restart.error
    assert "GET / (heartbeat.path): the app answered 500; heartbeat.accept is [200, 302]" in error
    assert error.endswith("KeyError: 'x'")


def test_a_worker_that_does_not_exit_after_a_failed_probe_is_killed() -> None:
    s = Story().served().deploy("/releases/b")
    worker = s.workers(generation=2)[0]
    worker.state = State.PROBING
    s.tell(Probed(worker.number, ILL)).after(2)
    assert s.done(Kill) == [Kill(worker.number)]
    assert s.exited(worker, "SIGKILL").core.reloads.restart.result == "failed"


def test_a_redirect_is_a_good_answer() -> None:
    s = Story(workers=1).begin()
    worker = s.workers()[0]
    worker.state = State.PROBING
    assert s.tell(Probed(worker.number, ProbeResult(302, 1.0))).accepts() == [worker.number]


def test_a_boot_that_hangs_ends_at_its_timeout() -> None:
    s = Story(reload={"boot_timeout": 20}).served().deploy("/releases/b")
    s.after(19.5)
    assert s.state == "reloading"
    s.after(1)
    assert s.done(Abort), "SIGABRT first: it shows where the import hangs"
    s.tell(Exited(s.workers(generation=2)[0].number, "SIGABRT", "File blog.py, line 7"))
    assert "boot_timeout" in s.core.reloads.restart.error
    assert "blog.py, line 7" in s.core.reloads.restart.error
    assert s.active(1) == 2


def test_the_error_of_a_probe_without_an_answer_names_the_request() -> None:
    s = Story(workers=1, reload={"boot_timeout": 20}, heartbeat={"path": "/health"}).served().deploy("/releases/b")
    worker = s.workers(generation=2)[0]
    s.tell(Loaded(worker.number)).tell(Started(worker.number)).after(21).exited(worker, "SIGABRT")
    why = "boot_timeout: still probing, GET /health (heartbeat.path), after 20 s"
    assert why in s.core.reloads.restart.error


def test_each_worker_of_a_generation_has_the_whole_boot_timeout() -> None:
    """An app that loads for long would never start if the first worker's time were taken from the others'."""
    s = Story(reload={"boot_timeout": 20}).served().deploy("/releases/b")
    s.after(15).ready(s.workers(generation=2)[0]).after(15)
    assert s.state == "reloading"
    assert s.proceed().core.reloads.restart.result == "ok"


def test_as_many_workers_boot_at_once_as_there_are_cores_until_one_is_ready() -> None:
    s = Story(workers=5).with_cores(2).begin()
    assert s.spawned() == [(0, 1), (1, 1)]
    assert s.ready(s.workers()[1]).spawned() == [(2, 1), (3, 1), (4, 1)]
    assert s.proceed().state == "serving"


def test_the_first_failure_ends_what_boots_beside_it() -> None:
    s = Story(workers=3).with_cores(2).served().deploy("/releases/b")
    first, second = s.workers(generation=2)
    s.failed(second)
    assert s.done(Kill) == [Kill(first.number)]
    assert (s.core.reloads.restart.result, s.active(1)) == ("failed", 3)


def test_a_failure_before_any_was_ready_fails_the_reload_also_when_another_is_ready_before_the_exit() -> None:
    s = Story(workers=2).with_cores(2).served().deploy("/releases/b")
    first, second = s.workers(generation=2)
    first.state = State.PROBING
    s.tell(Probed(first.number, ILL)).ready(second)
    assert not s.accepts()
    assert s.exited(first).core.reloads.restart.result == "failed"


def test_a_later_worker_that_dies_is_replaced_and_the_reload_goes_on() -> None:
    """The release is proven: one kill by the kernel shall not fail a deploy."""
    s = Story().served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0])
    second = s.workers(State.STARTING, generation=2)[0]
    assert s.exited(second, "SIGKILL").spawned() == [(1, 2)]
    assert s.proceed().active(2) == 2
    assert s.core.reloads.restart.result == "ok"


def test_later_workers_that_keep_dying_fail_the_reload() -> None:
    s = Story().served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0])
    for _ in range(3):
        s.exited(s.workers(State.STARTING, generation=2)[0], "SIGKILL")
    assert s.core.reloads.restart.result == "failed"
    assert s.active(1) == 2


def test_a_worker_lost_between_accept_and_its_answer_is_replaced_before_any_old_one_drains() -> None:
    s = Story().served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0]).ready(s.workers(State.STARTING)[0])
    first, second = s.workers(State.ACCEPTING)
    s.accepted(first)
    assert not s.exited(second, "SIGKILL").drains()
    assert s.spawned() == [(1, 2)]
    assert len(s.proceed().drains()) == 2


def test_a_worker_that_never_confirms_is_given_up() -> None:
    s = Story(workers=1).served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0]).after(5)
    assert s.done(Abort)
    assert s.active(1) == 1


def test_new_workers_that_accept_already_are_drained_when_the_reload_fails() -> None:
    """They may have taken connections: killing them would lose those."""
    s = Story(workers=2).served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0]).ready(s.workers(State.STARTING)[0])
    first = s.workers(State.ACCEPTING)[0]
    s.accepted(first)
    for _ in range(3):
        victim = next(worker for worker in s.workers(generation=2) if worker.slot == 1 and worker is not first)
        s.exited(victim, "SIGKILL")
    assert s.drains() == [first.number]
    assert s.active(1) == 2


def test_a_touch_before_any_new_worker_accepts_starts_over_with_the_newest_code() -> None:
    s = Story().served().deploy("/releases/b")
    stale = s.workers(generation=2)[0]
    s.deploy("/releases/c")
    assert s.done(Kill) == [Kill(stale.number)]
    assert s.spawned() == [(0, 3)]
    s.proceed()
    assert s.core.reloads.active
    assert s.core.reloads.active.release.path == "/releases/c"


def test_a_boot_is_started_over_only_once_in_a_row() -> None:
    """Otherwise a touch in each second would keep new code from ever serving."""
    s = Story().served().deploy("/releases/b").deploy("/releases/c")
    assert s.deploy("/releases/d").acts == []
    s.proceed().after(0.2).proceed()
    assert s.core.reloads.active
    assert s.core.reloads.active.release.path == "/releases/d"


def test_fifty_touches_end_in_two_reloads_and_the_last_one_wins() -> None:
    s = Story().served()
    resolved = 0
    for number in range(50):
        resolved += len(s.deploy(f"/releases/{number}").done(ResolveRelease))
    resolved += len(s.proceed().after(0.2).done(ResolveRelease))
    s.proceed()
    assert resolved == 3, "one, the same started over, and one for all others"
    assert s.mark
    assert s.core.reloads.restart.stamp == s.mark.mtime_ns
    assert s.core.reloads.active
    assert s.core.reloads.active.release.path == "/releases/49"


def test_a_touch_while_new_workers_accept_runs_another_reload_at_the_end() -> None:
    s = Story(workers=1).served().deploy("/releases/b")
    s.ready(s.workers(generation=2)[0])
    assert s.deploy("/releases/c").acts == []
    worker = s.workers(State.ACCEPTING)[0]
    s.accepted(worker)
    assert s.after(0.2).spawned() == [(0, 3)]
    assert s.proceed().active(3) == 1


def test_a_pending_reload_waits_until_the_touches_end_but_not_for_ever() -> None:
    """Otherwise a release that boots within a moment is reloaded at each of many touches."""
    s = Story(workers=1).served().deploy("/releases/b").deploy("/releases/c").deploy("/releases/d").proceed()
    for _ in range(9):
        assert not s.after(0.1).done(ResolveRelease)
        assert not s.touch().done(ResolveRelease)
    assert s.after(0.1).spawned() == [(0, 4)]
    assert s.proceed().core.reloads.restart.result == "ok"
    assert s.mark
    assert s.core.reloads.restart.stamp == s.mark.mtime_ns


def test_a_pending_touch_is_served_after_a_failed_reload_as_well() -> None:
    s = Story(workers=1).served().deploy("/releases/b").deploy("/releases/c")
    s.deploy("/releases/d").failed(s.workers(State.STARTING)[0]).after(0.2)
    assert s.state == "reloading"
    assert s.proceed().core.reloads.restart.result == "ok"


def test_a_touch_during_a_drain_is_served_at_once() -> None:
    s = Story().served().deploy("/releases/b").proceed()
    assert s.workers(State.DRAINING, generation=1)
    assert s.deploy("/releases/c").spawned() == [(0, 3)]


def test_endless_drains_do_not_pile_up() -> None:
    s = Story(workers=1, reload={"drain_timeout": 3600}).served()
    for number in range(5):
        s.after(11).deploy(f"/releases/{number}").proceed()
    assert len(s.workers(State.DRAINING)) == 4


def test_reloads_that_follow_each_other_quickly_leave_idle_connections_their_grace() -> None:
    s = Story(workers=1, reload={"drain_timeout": 3600, "idle_grace": 5}).served()
    for number in range(6):
        s.after(0.5).deploy(f"/releases/{number}").proceed()
    assert (len(s.workers(State.DRAINING)), s.done(Kill)) == (6, [])
    s.after(10).deploy("/releases/last").proceed()
    assert len(s.workers(State.DRAINING)) == 4, "the oldest have had it twice"


def test_a_stop_cuts_no_drain_short() -> None:
    s = Story(workers=1).served()
    for number in range(4):
        s.deploy(f"/releases/{number}").proceed()
    assert len(s.workers(State.DRAINING)) == 4
    s.stop()
    assert (len(s.workers(State.DRAINING)), s.done(Kill)) == (5, [])


def test_an_old_worker_that_dies_during_a_reload_is_not_counted_twice() -> None:
    s = Story().served().deploy("/releases/b")
    s.exited(s.workers(generation=1)[0], "SIGSEGV")
    s.proceed().end_drains().proceed()
    assert [worker.generation.number for worker in s.workers()] == [2, 2]


def test_a_missing_directory_fails_a_reload_and_nothing_else() -> None:
    s = Story().served()
    s.broken = MISSING
    s.touch()
    assert s.core.reloads.restart.result == "failed"
    assert "does not exist" in s.core.reloads.restart.error
    assert s.active(1) == 2


def test_before_the_first_release_procmon_waits_and_looks_each_second() -> None:
    s = Story()
    s.broken = MISSING
    assert s.begin().state == "waiting"
    s.after(3)
    assert s.state == "waiting"
    assert len([line for line in s.logged if "waiting" in line]) == 1
    s.broken = None
    assert s.after(1).spawned() == [(0, 1)]
    assert s.proceed().state == "serving"


def test_a_touch_ends_the_wait_for_the_first_release_at_once() -> None:
    s = Story()
    s.broken = MISSING
    s.begin()
    s.broken = None
    assert s.touch().spawned() == [(0, 1)]


def test_a_first_generation_that_cannot_start_is_tried_again_at_growing_intervals() -> None:
    s = Story(workers=1).begin()
    tries = []
    began = s.now
    for _ in range(6):
        s.failed(s.workers(State.STARTING)[0])
        assert s.state == "failed"
        while not s.spawned():
            due = s.core.deadline()
            assert due
            s.after(due - s.now)
        tries.append(s.now - began)
        began = s.now
    assert tries == [0.5, 0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_touch_is_not_kept_waiting_by_the_backoff_of_the_first_generation() -> None:
    s = Story(workers=1).begin()
    for _ in range(4):
        s.failed(s.workers(State.STARTING)[0]).touch()
    assert s.proceed().state == "serving"


def test_an_unusable_release_is_a_failure_from_the_start() -> None:
    s = Story()
    s.broken = ReleaseUnavailable("the Python interpreter /x does not exist", s.mark)
    s.begin()
    assert (s.state, s.core.reloads.restart.result) == ("failed", "failed")


def test_one_by_one_there_is_never_more_than_one_extra_worker() -> None:
    s = Story(workers=3, reload={"surge": "one"}).served().deploy("/releases/b")
    for slot in range(3):
        assert len(s.workers()) == 4
        new = s.workers(State.STARTING)[0]
        assert (new.slot, new.generation.number) == (slot, 2)
        s.ready(new).accepted(new)
        assert not s.spawned(), "the old one's memory is still in use"
        s.end_drains()
    assert s.state == "serving"
    assert s.active(2) == 3


def test_one_by_one_a_late_failure_is_undone() -> None:
    """The generation that served completely takes its slots back, again one at a time."""
    s = Story(workers=2, reload={"surge": "one"}).served().deploy("/releases/b")
    new = s.workers(State.STARTING)[0]
    s.ready(new).accepted(new).end_drains()
    for _ in range(3):
        worker = s.workers(State.STARTING, generation=2)[0]
        s.failed(worker).exited(worker)
    assert s.core.reloads.restart.result == "failed"
    s.proceed().end_drains().proceed().after(2).proceed()
    assert s.active(1) == 2
    assert s.active(2) == 0


def test_one_by_one_a_new_worker_lost_after_its_turn_is_replaced_by_new_code_before_the_answer() -> None:
    s = Story(workers=2, reload={"surge": "one"}).served().deploy("/releases/b")
    new = s.workers(generation=2)[0]
    s.ready(new).accepted(new).end_drains().exited(new, "SIGKILL")
    while s.state == "reloading":
        step = s.next_success()
        s = s.tell(step) if step else s.end_drains()
    assert s.mark
    assert (s.core.reloads.restart.stamp, s.core.reloads.restart.result) == (s.mark.mtime_ns, "ok")
    assert not s.workers(*BOOTING, State.ACTIVE, generation=1)
    assert s.active(2) == 2


def test_one_by_one_new_workers_that_keep_dying_after_their_turn_fail_the_reload() -> None:
    s = Story(workers=2, reload={"surge": "one"}).served().deploy("/releases/b")
    for _ in range(3):
        new = s.workers(*BOOTING, generation=2)[0]
        s.ready(new).accepted(new).end_drains().exited(new, "SIGKILL")
    assert s.core.reloads.restart.result == "failed"
    s.after(2).proceed()
    assert s.active(1) == 2


def test_one_by_one_a_replacement_with_the_old_code_leaves_when_the_reload_is_complete() -> None:
    """The new worker of the first slot hangs while the second slot still waits for its drain."""
    s = Story(workers=2, reload={"surge": "one"}, worker={"hang_timeout": 30}).served().deploy("/releases/b")
    new = s.workers(generation=2)[0]
    s.ready(new).accepted(new)
    for _ in range(36):
        s.after(1, ticking=False)
        for worker in s.workers():
            if worker is not new:
                s.tell(Ticked(worker.number))
    (old,) = s.workers(State.STARTING, generation=1)
    assert old.slot == new.slot
    s.end_drains()
    second = s.workers(State.STARTING, generation=2)[0]
    s.ready(second).accepted(second)
    assert (s.core.reloads.restart.result, s.state) == ("ok", "serving")
    assert old.state in LEAVING


def test_a_request_before_the_release_has_been_read_is_part_of_the_same_reload() -> None:
    s = Story().served()
    s.after(20)
    s.path = "/releases/b"
    (answer,) = s.begin_reload()
    assert s.tell(ReloadRequested("SIGHUP")).acts == []
    s.tell(answer).proceed()
    assert (s.state, s.active(2), s.core.reloads.count) == ("serving", 2, 2)
    assert not s.end_drains().after(20).done(ResolveRelease)


@pytest.mark.parametrize("missing", [False, True])
def test_an_answer_about_the_release_that_was_not_asked_for_changes_nothing(missing: object) -> None:
    s = Story().served()
    late = MISSING if missing else ReleaseResolved(Release("/releases/x", s.config), s.mark)
    assert s.tell(late).acts == []
    assert (s.state, s.core.reloads.count) == ("serving", 1)


@pytest.mark.parametrize(("surge", "seconds"), [("all", 3 * 60), ("one", 4 * (60 + 30 + OVERRUN_SECONDS) + 2 * 60)])
def test_how_long_a_reload_may_take_follows_from_the_configuration(surge: str, seconds: float) -> None:
    assert reload_limit_seconds(config(workers=4, reload={"surge": surge})) == seconds


def test_one_by_one_each_worker_has_its_own_boot_timeout() -> None:
    s = Story(workers=2, reload={"surge": "one", "boot_timeout": 10}).served().deploy("/releases/b")
    new = s.workers(State.STARTING)[0]
    s.after(8).ready(new).accepted(new).end_drains().after(8)
    assert s.state == "reloading"
    assert s.proceed().end_drains().state == "serving"


def test_a_release_deleted_while_a_newer_one_boots_leads_to_no_second_reload() -> None:
    s = Story(workers=2).served()
    s.exited(s.workers()[0], "SIGKILL")
    replacement = s.workers(State.STARTING)[0]
    s.deploy("/releases/b")
    s.tell(ReleaseGone(replacement.number))
    s.proceed().end_drains().after(5)
    assert [worker.generation.number for worker in s.workers()] == [2, 2]


def test_a_release_deleted_under_a_crashed_worker_leads_to_a_reload_from_the_directory() -> None:
    """All workers of a generation come from one place: the lost one is not replaced from another."""
    s = Story(workers=2).served()
    s.path = "/releases/b"
    s.exited(s.workers()[0], "SIGKILL")
    s.tell(ReleaseGone(s.workers(State.STARTING)[0].number))
    s.proceed().end_drains()
    assert s.active(s.core.reloads.active.number if s.core.reloads.active else 0) == 2
    assert {worker.generation.release.path for worker in s.workers()} == {"/releases/b"}
