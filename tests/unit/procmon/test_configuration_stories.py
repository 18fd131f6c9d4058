"""A generation is a release with its configuration: what a reload changes, and what a failed one does not."""

from __future__ import annotations

import pytest
from procmon.core.actions import Drain, Probe, SendHeartbeat
from procmon.core.events import FileStamp, ReleaseResolved, ReleaseUnavailable
from procmon.core.worker import State

from tests.support.procmon.story import Story

INVALID = ReleaseUnavailable("blog.toml: workers = 'x': must be a number from 1 to 512", None)


@pytest.mark.parametrize("surge", ["all", "one"])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 2)])
def test_another_number_of_workers_serves_with_the_new_generation(before: int, after: int, surge: str) -> None:
    s = Story(workers=before).served()
    s.configure(workers=after, reload={"surge": surge}).touch()
    for _ in range(4):
        s.proceed().end_drains()
    assert (s.active(1), s.active(2), len(s.core.pool.slots)) == (0, after, after)
    assert s.core.reloads.restart.result == "ok"


@pytest.mark.parametrize("surge", ["all", "one"])
def test_a_reload_that_fails_leaves_the_number_of_workers_as_it_was(surge: str) -> None:
    s = Story(workers=2).served()
    s.configure(workers=4, reload={"surge": surge}).touch()
    for _ in range(2):
        s.proceed() if surge == "one" else s.ready(s.workers(State.STARTING)[0])
        s.end_drains()
    while s.core.reloads.rollout:
        s.exited(s.workers(State.STARTING)[0], "SIGSEGV")
    for _ in range(6):
        s.proceed().end_drains()
    assert (s.core.config.workers, len(s.core.pool.slots), s.active(1) + s.active(2)) == (2, 2, 2)
    assert s.after(40).proceed().state == "serving"


FORMER, OLDER, NEWER = (FileStamp(1, inode, time, 0) for inode, time in ((1, 200), (2, 100), (2, 300)))


@pytest.mark.parametrize(
    ("named", "answered"),
    [(OLDER, 200), (NEWER, 300), (FORMER, 200), (None, 200)],
    ids=["older", "newer", "same", "no"],
)
@pytest.mark.parametrize("fails", [True, False])
def test_the_touch_of_the_former_restart_file_is_answered(
    named: FileStamp | None, answered: int, *, fails: bool
) -> None:
    """The configuration names another one, whose time may be any."""
    s = Story(workers=1).served()
    release = s.core.reloads.active.release if s.core.reloads.active else None
    assert release is not None
    s.broken = ReleaseUnavailable("no", named, former=FORMER) if fails else ReleaseResolved(release, named, FORMER)
    s.touch().proceed()
    restart = s.core.reloads.restart
    assert (restart.result, restart.stamp) == ("failed" if fails else "ok", answered)


def test_old_workers_drain_as_their_own_configuration_says() -> None:
    s = Story(workers=1, reload={"drain_timeout": 7}).served()
    s.configure(workers=1, reload={"drain_timeout": 70}).touch().proceed()
    assert s.done(Drain) == [Drain(1, 7.0)]
    s.touch().proceed()
    assert s.done(Drain) == [Drain(2, 70.0)]


def test_a_new_worker_is_probed_by_its_own_configuration_and_the_heartbeat_follows() -> None:
    s = Story(workers=1, heartbeat={"path": "/old", "interval": 5}).served()
    s.configure(workers=1, heartbeat={"path": "/new", "interval": 3}).touch()
    acts = []
    while event := s.next_success():
        acts += s.tell(event).acts
    assert [action.heartbeat.path for action in acts if isinstance(action, Probe)] == ["/new"]
    s.after(3)
    assert [action.heartbeat.path for action in s.done(SendHeartbeat)] == ["/new"]


def test_an_invalid_configuration_fails_the_reload_and_changes_nothing() -> None:
    s = Story(workers=2, heartbeat={"interval": 5}).served()
    before = s.workers()
    s.broken = INVALID
    s.touch()
    assert (s.workers(), s.acts) == (before, s.acts)
    assert s.core.reloads.restart.result == "failed"
    assert "workers = 'x'" in s.core.reloads.restart.error
    assert s.state == "serving"
    s.broken = None
    assert s.touch().proceed().core.reloads.restart.result == "ok"


def test_hang_and_age_limits_are_those_of_the_workers_own_generation() -> None:
    s = Story(workers=1, worker={"max_age": 100}).served()
    s.configure(workers=1).touch().proceed().end_drains()
    assert not s.after(200).spawned()
