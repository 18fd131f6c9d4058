"""The lines of the callback plugin `events`, as events and results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onetouch_deploy.events import CommitsFound, Event, HookOutput, HostEnded, PhaseEnded, PhaseStarted, TaskEnded
from onetouch_deploy.following import Follower
from onetouch_deploy.outcome import HostResult, Outcome, Phase, RunFailedError

ROLLOUT = "onetouch.deploy.rollout"
STATUS = "onetouch.deploy.project_status"
HOST = "blog@web1"
NAMES = (HOST, "blog", "web1")


def play(*hosts: str) -> dict[str, object]:
    return {"event": "play", "hosts": {host: host.split("@") for host in hosts}}


def begin(host: str = HOST) -> dict[str, object]:
    return {"event": "host", "host": host, "action": ROLLOUT}


def progress(**entry: object) -> dict[str, object]:
    return {"event": "progress", "host": HOST, "entry": entry}


def answer(how: str = "ok", /, host: str = HOST, action: str = ROLLOUT, **result: object) -> list[dict[str, object]]:
    """The end of a task, and what it returned."""
    ended = {"event": "ended", "host": host, "name": "It", "action": action, "outcome": how, "changed": True}
    return [ended, {"event": "result", "host": host, "action": action, "outcome": how, "result": result}]


def follow(*lines: dict[str, object], command: str = "deploy", cancelled: bool = False) -> tuple[list[Event], Any]:
    """Return the events, and the results."""
    follower = Follower(command)
    events = [event for line in lines for event in follower.add(json.dumps(line))]
    return [*events, *follower.finish(cancelled=cancelled)], follower.results()


def without_ends(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, (TaskEnded, HostEnded))]


PHASES = [{"name": "fetch", "seconds": 1.0}, {"name": "post_deploy", "seconds": 2.0, "failed": True}]
FOUND: dict[str, Any] = {
    "commit": "ab",
    "previous_commit": None,
    "commits": [{"sha": "ab", "subject": "Say"}],
    "commit_count": 1,
}
OUTPUT = [{"name": "post_deploy", "text": "one two", "characters": 7}]
ALL: list[Event] = [
    PhaseStarted(*NAMES, "fetch"),
    PhaseEnded(*NAMES, Phase("fetch", 1.0)),
    PhaseStarted(*NAMES, "post_deploy"),
    HookOutput(*NAMES, "post_deploy", "one two"),
    PhaseEnded(*NAMES, Phase("post_deploy", 2.0, failed=True)),
]


@pytest.mark.parametrize("seen", range(6))
def test_each_phase_and_each_character_is_reported_once(seen: int) -> None:
    """Whatever the progress had, and it may end anywhere: the result has all."""
    lines = [
        progress(start="fetch"),
        progress(end=PHASES[0]),
        progress(start="post_deploy"),
        progress(output="one ", phase="post_deploy"),
        progress(output="two", phase="post_deploy"),
        progress(end=PHASES[1]),
    ]
    last = answer("failed", outcome="put_back", phases=PHASES, output=OUTPUT, reason="it failed")
    events, [result] = follow(play(HOST), begin(), *lines[:seen], *last)
    found = without_ends(events)
    texts = [event for event in found if isinstance(event, HookOutput)]
    assert "".join(event.text for event in texts) == "one two"
    assert [event for event in found if event not in texts] == [
        each for each in ALL if not isinstance(each, HookOutput)
    ]
    assert result.seconds == {"fetch": 1.0, "post_deploy": 2.0}


@pytest.mark.parametrize("seen", [True, False])
def test_commits_are_reported_once_and_after_fetch(*, seen: bool) -> None:
    lines = [progress(start="fetch"), progress(end=PHASES[0]), progress(found=FOUND)] if seen else []
    events, _results = follow(play(HOST), begin(), *lines, *answer(outcome="live", phases=PHASES[:1], **FOUND))
    kinds = [type(event) for event in without_ends(events)]
    assert kinds == [PhaseStarted, PhaseEnded, CommitsFound]


def test_the_phases_of_both_steps_of_a_rollout() -> None:
    other = "blog@web2"
    prepared = answer(outcome="prepared", changed=True, phases=PHASES[:1], **FOUND)
    live = answer(outcome="live", changed=True, phases=[{"name": "switch", "seconds": 0.5}], **FOUND)
    left = answer(
        "skipped", host=other, outcome="not_reached", msg="not reached, because blog@web1 failed", failed=False
    )
    events, results = follow(play(HOST, other), begin(), *prepared, begin(), begin(other), *live, *left)
    assert [(one.outcome, one.seconds) for one in results] == [
        ("live", {"fetch": 1.0, "switch": 0.5}),
        ("not_reached", {}),
    ]
    assert sum(isinstance(event, CommitsFound) for event in events) == 1
    assert [event.result.host for event in events if isinstance(event, HostEnded)] == [HOST, other]


def test_hosts_of_a_run_that_was_cancelled() -> None:
    hosts = ["blog@web1", "blog@web2", "blog@web3"]
    lines = [play(*hosts), begin(), begin(hosts[1]), *answer(host=hosts[1], outcome="live", commit="ab")]
    events, results = follow(*lines, progress(start="post_deploy"), cancelled=True)
    assert [one.outcome for one in results] == ["under_way", "live", "not_reached"]
    assert results[0].error.reason == "blog on web1 was under way (post_deploy) when the run was cancelled."
    assert results[2].error.now == "Nothing was changed."
    outcome = Outcome("deploy", 99, results, cancelled=True)
    assert [one.host for one in outcome.under_way] == [HOST]
    with pytest.raises(RunFailedError, match=r"deploy was cancelled\. blog@web1: blog on web1 was under way"):
        outcome.check()
    assert sum(isinstance(event, HostEnded) for event in events) == 3


@pytest.mark.parametrize(("seen", "outcome"), [([], "unreachable"), ([progress(start="fetch")], "lost")])
def test_a_server_that_does_not_answer(seen: list[dict[str, object]], outcome: str) -> None:
    _events, [result] = follow(play(HOST), begin(), *seen, *answer("unreachable", msg="No route to host"))
    assert (result.outcome, result.ok) == (outcome, False)
    assert "No route to host" in result.error.reason


@pytest.mark.parametrize(
    ("command", "lines", "outcome", "changed"),
    [
        ("setup", answer(outcome="unchanged", changed=False), "ok", True),
        ("setup", [*answer(outcome="unchanged"), *answer("failed", msg="no sudo")], "failed", True),
        ("status", answer(action=STATUS, commit=None), "ok", True),
        ("status", answer(action=STATUS, msg="no git"), "failed", True),
        ("deploy", answer(outcome="unchanged", changed=True), "unchanged", True),
        ("deploy", answer("failed", outcome="unchanged", msg="no ref"), "failed", False),
        ("deploy", answer("failed", outcome="unknown", msg="killed"), "unknown", False),
        ("deploy", [*answer("failed", outcome="broken"), *answer("failed", msg="later")], "broken", False),
    ],
)
def test_outcomes(command: str, lines: list[dict[str, object]], outcome: str, *, changed: bool) -> None:
    _events, [result] = follow(play(HOST), begin(), *lines, command=command)
    assert (result.outcome, result.changed) == (outcome, changed)
    assert (result.error is None) == result.ok


@pytest.mark.parametrize("cut", [0, 40])
def test_a_result_that_did_not_come_is_no_success(cut: int) -> None:
    """Ansible was killed, or the disk was full."""
    follower = Follower("deploy")
    lines = [json.dumps(line) for line in (play(HOST), begin(), *answer(outcome="live"))]
    events = [event for line in (*lines[: 3 if cut else 2], lines[-1][:cut]) for event in follower.add(line)]
    [last] = follower.finish(cancelled=False)
    assert last not in events
    [result] = follower.results()
    assert (result.outcome, result.ok) == ("unknown", False)
    assert result.error
    assert result.error.now == "What it serves now is not known. Ask with status."


def test_a_setup_that_was_cancelled_is_to_be_repeated() -> None:
    _events, [result] = follow(play(HOST), begin(), command="setup", cancelled=True)
    assert result.error.now == "What it had begun may be unfinished. Run it again."


def test_a_host_is_none_of_the_play_where_a_task_is_delegated() -> None:
    lines = [begin("localhost"), answer(host="localhost")[0], begin(), answer()[0]]
    _events, results = follow(play(HOST), *lines, command="setup")
    assert [(one.host, one.project, one.server) for one in results] == [NAMES, ("localhost", "localhost", "localhost")]


def test_an_outcome_that_is_ok_is_returned_by_check() -> None:
    outcome = Outcome("deploy", 0, (HostResult(*NAMES, "live"),))
    assert outcome.check() is outcome
    failed = Outcome("deploy", 4, error="no hosts")
    with pytest.raises(RunFailedError, match=r"deploy failed with exit code 4\. no hosts") as info:
        failed.check()
    assert info.value.code == 4
