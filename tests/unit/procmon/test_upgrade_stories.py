"""Upgrades as the core decides on them, and what it hands to its successor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from procmon.core.actions import Action, CheckUpgrade, ExecUpgrade
from procmon.core.events import Restored, UpgradeChecked, UpgradeFailed, UpgradeRequested
from procmon.core.snapshot import dump
from procmon.master.status_file import report

from tests.support.procmon.story import ILL, MISSING, WELL, Story


def upgrades(s: Story) -> list[Action]:
    """Return what was just wanted of a successor."""
    return [*s.done(CheckUpgrade), *s.done(ExecUpgrade)]


def test_a_successor_is_tried_before_it_takes_over() -> None:
    s = Story().served()
    assert upgrades(s.tell(UpgradeRequested())) == [CheckUpgrade()]
    assert upgrades(s.tell(UpgradeChecked())) == [ExecUpgrade()]


def test_a_successor_that_is_not_fit_is_refused_and_the_reason_logged() -> None:
    s = Story().served()
    s.tell(UpgradeRequested())
    assert upgrades(s.tell(UpgradeChecked("no httpx"))) == []
    assert report(s.core, {}, s.core.config)["upgrade"] == {"number": 1, "result": "failed", "error": "no httpx"}
    assert "upgrade refused, still running the current version: no httpx" in s.logged


def test_asking_again_during_the_check_checks_again() -> None:
    s = Story().served()
    s.tell(UpgradeRequested())
    assert upgrades(s.tell(UpgradeRequested())) == []
    assert upgrades(s.tell(UpgradeChecked())) == [CheckUpgrade()]
    assert upgrades(s.tell(UpgradeChecked())) == [ExecUpgrade()]


def test_nothing_is_replaced_during_a_rollout() -> None:
    s = Story().served()
    s.touch()
    assert upgrades(s.tell(UpgradeRequested())) == []
    assert upgrades(s.proceed()) == [CheckUpgrade()]
    s.touch()
    assert upgrades(s.tell(UpgradeChecked())) == []
    assert upgrades(s.proceed()) == [ExecUpgrade()]


def test_an_upgrade_waits_for_pending_reloads_and_a_failed_one_is_not_tried_again() -> None:
    s = Story().served()
    s.tell(UpgradeRequested())
    s.tell(UpgradeChecked())
    s.touch()
    assert upgrades(s.tell(UpgradeFailed())) == []
    assert upgrades(s.proceed()) == [ExecUpgrade()]
    assert upgrades(s.tell(UpgradeFailed("Permission denied"))) == []
    assert report(s.core, {}, s.core.config)["upgrade"]["error"] == "Permission denied"


def test_no_upgrade_happens_while_it_stops() -> None:
    s = Story().served().stop()
    assert upgrades(s.tell(UpgradeRequested())) == []


def test_the_successor_continues_from_the_state_of_its_predecessor() -> None:
    s = Story(heartbeat={"guard": 0}).served().deploy("/releases/b").proceed().after(10)
    s.beat_answered(WELL)
    new = s.succeed(heartbeat={"guard": 0})
    assert report(new.core, {}, new.core.config) == report(s.core, {}, s.core.config)
    assert new.core.deadline() == s.core.deadline()
    new.tell(Restored())
    assert (new.acts, new.state, new.core.upgrade.result) == ([], "serving", "ok")
    assert new.end_drains().deploy("/releases/c").spawned() == [(0, 3)]


def test_each_generation_keeps_the_configuration_that_it_was_started_with() -> None:
    s = Story(app="blog:app", reload={"drain_timeout": 7}).served()
    new = s.succeed(app="shop:app")
    assert new.core.reloads.active
    kept = new.core.reloads.active.config
    assert (kept.app, kept.reload.drain_timeout_seconds) == ("blog:app", 7)
    new.tell(Restored("the configuration has changed")).proceed()
    assert new.core.config.app == "shop:app"


def test_a_touch_that_was_answered_is_not_answered_again_and_a_new_one_is() -> None:
    s = Story().served()
    s.touch().proceed()
    new = s.succeed().tell(Restored())
    assert new.mark
    new.mark = new.mark._replace(mtime_ns=new.mark.mtime_ns - 1)
    assert new.touch().spawned() == []
    assert new.touch().spawned() == [(0, 3)]


def test_the_state_of_the_heartbeat_survives() -> None:
    s = Story(heartbeat={"guard": 100}).served().after(10)
    s.beat_answered(ILL)
    new = s.succeed(heartbeat={"guard": 100}).tell(Restored())
    assert (new.core.health.failures, new.core.health.last) == (1, ILL)
    assert not new.after(9).beats()
    assert new.after(1).beats()


def test_a_lower_number_of_workers_is_reached_once_the_new_ones_serve() -> None:
    s = Story(workers=4).served()
    new = s.succeed(workers=1).tell(Restored("the configuration has changed"))
    assert new.active(1) == 4
    new.proceed()
    assert (new.active(1), new.active(2), len(new.core.pool.slots)) == (0, 1, 1)


def test_a_higher_number_of_workers_is_reached_by_the_new_generation() -> None:
    s = Story(workers=1).served()
    new = s.succeed(workers=3).tell(Restored("the configuration has changed")).proceed()
    assert new.active(2) == 3


def test_a_core_that_waits_for_its_first_release_keeps_waiting() -> None:
    s = Story()
    s.broken = MISSING
    new = s.begin().succeed().tell(Restored())
    assert new.state == "waiting"
    new.broken = None
    assert new.after(2).spawned() == [(0, 1)]


@given(st.lists(st.sampled_from(["touch", "hup", "proceed", "drains", "kill", "time", "ill"]), max_size=12))
def test_a_snapshot_is_complete_whatever_has_happened(history: list[str]) -> None:
    s = Story(workers=2).served()
    for step in history:
        _do(s, step)
    s.proceed().after(40)
    s.proceed()
    if s.core.is_idle():
        new = s.succeed(workers=2)
        assert report(new.core, {}, new.core.config) == report(s.core, {}, s.core.config)
        assert dump(new.core) == dump(s.core)


def _do(s: Story, step: str) -> None:
    if step == "kill" and s.workers():
        s.exited(s.workers()[0], "SIGKILL")
    elif step == "time":
        s.after(5)
    elif step == "ill":
        s.beat_answered(ILL)
    elif step != "kill":
        {"touch": s.touch, "hup": s.hup, "proceed": s.proceed, "drains": s.end_drains}[step]()
