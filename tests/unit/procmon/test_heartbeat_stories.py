"""When the app is asked how it is, and what a bad answer leads to."""

from __future__ import annotations

from itertools import pairwise

from procmon.core.events import HeartbeatResult, ProbeResult

from tests.support.procmon.story import ILL, WELL, Story

TIMEOUT = ProbeResult(None, 10000.0, "no answer within 10 s")


def test_a_heartbeat_is_sent_each_interval() -> None:
    s = Story(heartbeat={"interval": 10}).served()
    assert s.after(9.9).beats() == 0
    assert s.after(0.1).beats() == 1
    s.beat_answered(WELL)
    assert s.after(10).beats() == 1


def test_two_heartbeats_never_overlap() -> None:
    s = Story(heartbeat={"interval": 1, "timeout": 10}).served()
    assert s.after(9).beats() == 1


def test_an_interval_of_0_turns_the_heartbeat_off() -> None:
    assert Story(heartbeat={"interval": 0}).served().after(1000).beats() == 0


def test_a_bad_answer_reloads_once_and_the_guard_holds_the_next_one_back() -> None:
    s = Story(heartbeat={"interval": 5, "guard": 10}).served().after(10.1)
    assert s.beat_answered(ILL).state == "reloading"
    s.proceed().after(5)
    assert s.beat_answered(ILL).state == "serving"
    assert s.core.health.failures == 2
    s.after(5)
    assert s.beat_answered(TIMEOUT).state == "reloading"
    assert s.core.health.reloads == 2


def test_no_heartbeat_is_sent_during_a_reload_or_a_boot() -> None:
    s = Story().begin()
    assert s.after(30).beats() == 0
    s.proceed().deploy("/releases/b")
    assert s.after(30).beats() == 0


def test_an_answer_that_belongs_to_the_previous_generation_is_ignored() -> None:
    s = Story(heartbeat={"guard": 0}).served().after(10)
    s.deploy("/releases/b").proceed()
    assert s.tell(HeartbeatResult(1, ILL)).state == "serving"


def test_heartbeat_reloads_that_do_not_help_back_off() -> None:
    """With a database down, a reload each ten seconds would only add to the trouble."""
    s = Story(heartbeat={"interval": 5, "guard": 10}).served()
    reloads = []
    began = s.now
    while s.now < began + 3000:
        if s.after(1).beats() and s.beat_answered(ILL).state == "reloading":
            reloads.append(s.now)
            s.proceed().end_drains()
    gaps = [later - earlier for earlier, later in pairwise(reloads)]
    assert gaps[:6] == [10, 20, 40, 80, 160, 300]
    assert set(gaps[6:]) == {300}


def test_one_success_resets_the_backoff_of_heartbeat_reloads() -> None:
    s = Story(heartbeat={"interval": 5, "guard": 10}).served().after(15)
    for _ in range(3):
        s.beat_answered(ILL).proceed()
        s.after(60)
    s.beat_answered(WELL)
    assert s.core.health.failures == 0
    s.after(5)
    assert s.beat_answered(ILL).state == "reloading"
    s.proceed().after(10)
    assert s.beat_answered(ILL).state == "reloading"


def test_accept_says_which_answers_are_good() -> None:
    s = Story(heartbeat={"accept": [204], "guard": 0}).served()
    assert s.state == "failed", "the private probe accepts the same statuses"
