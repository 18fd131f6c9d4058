"""What the terminal shows."""

from __future__ import annotations

import json

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import (
    describe_procmon,
    failed_result,
    restart_result,
    result_text,
    rollout_table,
    status_table,
    table,
    time_ago,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3.0, "0s ago"),
        (0, "0s ago"),
        (59.9, "59s ago"),
        (60, "1m ago"),
        (3599, "59m ago"),
        (3600, "1h ago"),
        (86400 * 3 + 1, "3d ago"),
    ],
)
def test_a_time_is_shown_in_its_largest_unit(seconds: float | None, text: str) -> None:
    """One unit is enough to distinguish a release of today from one of last month."""
    assert time_ago(seconds) == text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """A reader compares rows; no row ends in blanks."""
    assert table([("A", "B", "C"), ("long", "x", "")]) == ["A     B  C", "long  x"]


@pytest.mark.parametrize(
    ("procmon", "text"),
    [
        (None, "-"),
        ({"state": "waiting"}, "waiting 0/0"),
        ({"state": "serving", "workers": [{"state": "active"}, {"state": "draining"}]}, "serving 1/2"),
    ],
)
def test_procmon_is_its_state_and_its_active_workers(procmon: dict[str, object] | None, text: str) -> None:
    """Draining workers are there, and do not serve."""
    assert describe_procmon(procmon) == text


def test_a_server_that_does_not_answer_keeps_its_row() -> None:
    """One server that is down must not hide the others, nor itself."""
    lines = status_table(
        {
            "blog@web2": {"unreachable": True, "msg": "no route to host\nsecond line"},
            "blog@web1": {
                "commit": "0123456789abcdef",
                "live_seconds": 7200,
                "subject": "s" * 60,
                "procmon": None,
                "notes": ["a", "b"],
            },
        }
    )
    assert [line.split()[:3] for line in lines] == [
        ["PROJECT", "SERVER", "LIVE"],
        ["blog", "web1", "0123456789ab"],
        ["blog", "web2", "?"],
    ]
    assert lines[1].endswith("a; b")
    assert "  2h ago  " in lines[1]
    assert "s" * 39 + "…" in lines[1]
    assert lines[2].endswith("no route to host")


OLD, NEW = "a" * 40, "b" * 40
ENDS = {"commit": NEW, "previous_commit": OLD}


@pytest.mark.parametrize(
    ("result", "row"),
    [
        ({**ENDS, "outcome": "live"}, "bbbbbbbbbbbb went live"),
        ({**ENDS, "outcome": "put_back"}, "aaaaaaaaaaaa bbbbbbbbbbbb failed, the previous release was restored"),
        ({**ENDS, "outcome": "failed"}, "aaaaaaaaaaaa failed, nothing was changed"),
        ({**ENDS, "outcome": "broken"}, "not known failed, and the previous release could not be restored"),
        ({**ENDS, "outcome": "prepared"}, "aaaaaaaaaaaa bbbbbbbbbbbb is prepared, not reached"),
        ({**ENDS, "outcome": "not_reached"}, "aaaaaaaaaaaa bbbbbbbbbbbb is prepared, not reached"),
        ({**ENDS, "outcome": "unchanged", "changed": False}, "bbbbbbbbbbbb was live already"),
        ({**ENDS, "outcome": "unchanged", "changed": True}, "aaaaaaaaaaaa bbbbbbbbbbbb would go live"),
        ({**ENDS, "outcome": "unknown"}, "not known failed, see above"),
        ({"outcome": "unchanged", "failed": True, "previous_commit": OLD}, "aaaaaaaaaaaa failed, nothing was changed"),
        ({"outcome": "failed", "previous_commit": None}, "nothing failed, nothing was changed"),
        ({"outcome": "unreachable"}, "as before cannot be reached"),
        ({"outcome": "unreachable", "previous_commit": OLD}, "aaaaaaaaaaaa cannot be reached"),
        ({"outcome": "lost", "previous_commit": OLD}, "not known the connection broke"),
        ({"failed": True, "msg": "an error on the laptop"}, "as before failed, nothing was changed"),
        ({"outcome": "no_app"}, "- nothing to restart"),
        ({}, "as before not reached"),
    ],
)
def test_a_rollout_that_failed_somewhere_shows_what_each_server_runs(result: dict[str, object], row: str) -> None:
    """Without another command, also of a server that was not asked."""
    lines = rollout_table({"blog@a": result, "blog@z": {"failed": True}})
    assert [" ".join(line.split()) for line in lines[:2]] == ["SERVER RUNS NOTE", f"blog@a {row}"]


def test_a_rollout_that_went_well_shows_no_table() -> None:
    """Each server has had its line."""
    ends = {"commit": "b" * 40, "previous_commit": "a" * 40}
    went_well = [("live", True), ("unchanged", False), ("restarted", True), ("no_app", False)]
    results = {name: {**ends, "outcome": name, "changed": changed} for name, changed in went_well}
    assert rollout_table(results) == []


@pytest.mark.parametrize(
    ("result", "msg"),
    [
        ({"outcome": "failed", "msg": "blog: no ref\ntail"}, "blog: no ref. Nothing was changed.\ntail"),
        ({"outcome": "unchanged", "msg": "blog: is it there?"}, "blog: is it there? Nothing was changed."),
        ({"outcome": "failed", "msg": "blog: x. Nothing was changed"}, "blog: x. Nothing was changed"),
        ({"outcome": "put_back", "msg": "blog: put back"}, "blog: put back"),
        ({"msg": "MODULE FAILURE"}, "MODULE FAILURE"),
    ],
)
def test_a_failure_that_changed_nothing_says_so_in_its_first_line(result: dict[str, object], msg: str) -> None:
    assert failed_result({**result, "failed": True})["msg"] == msg


def test_a_failure_is_shown_without_what_a_person_need_not_read() -> None:
    result = {
        "failed": True,
        "msg": "m",
        "outcome": "broken",
        "commits": [],
        "phases": [{}],
        "commit": None,
        "diff": {},
    }
    assert failed_result(result) == {"failed": True, "msg": "m", "outcome": "broken"}


def test_a_restart_ends_with_what_serves() -> None:
    workers = [{"state": "active"}, {"state": "active"}, {"state": "draining"}]
    status = {"generation": 5, "commit": "b" * 40, "workers": workers, "restart": {"seconds": 0.4}}
    result = restart_result("blog@a", "blog", {"stdout": json.dumps(status)})
    assert result["msg"] == "blog@a: restarted in 0.40 s: generation 5 serves bbbbbbbbbbbb, 2 workers active"
    assert result["outcome"] == "restarted"


def test_a_restart_that_failed_gives_the_reason_of_procmon() -> None:
    answer = {
        "failed": True,
        "rc": 1,
        "stderr": "blog: reload failed: no app\n",
        "stdout": "",
        "msg": "non-zero return code",
    }
    assert restart_result("blog@a", "blog", answer)["msg"] == "blog@a: reload failed: no app"


def test_servers_of_one_project_on_different_commits_are_flagged() -> None:
    """Two projects may differ, and a server that does not answer is no difference."""
    answer = {"live_seconds": 60, "subject": "s", "procmon": None}
    lines = status_table(
        {
            "blog@web1": {**answer, "commit": "a" * 40, "notes": ["1 behind"]},
            "blog@web2": {**answer, "commit": "b" * 40},
            "shop@web1": {**answer, "commit": "a" * 40},
            "shop@web2": {"unreachable": True},
            "wiki@web1": {**answer, "commit": "a" * 40},
            "wiki@web2": {**answer, "commit": None},
        }
    )
    flagged = [line.split()[:2] for line in lines if "its servers have different commits live" in line]
    assert flagged == [["blog", "web1"], ["blog", "web2"], ["wiki", "web1"], ["wiki", "web2"]]
    assert lines[1].endswith("its servers have different commits live; 1 behind")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"msg": "blog: 0123456789ab is live (1 commit)"}, "blog@web1: 0123456789ab is live (1 commit)"),
        (
            {"msg": "blog: ready", "phases": [{"name": "fetch", "seconds": 0.3}, {"name": "checkout", "seconds": 1}]},
            "blog@web1: ready; fetch 0.3 s, checkout 1 s",
        ),
        ({"msg": "blog: a\nb", "phases": [{"name": "fetch", "seconds": 1}]}, "blog@web1: a; fetch 1 s\nb"),
        ({"msg": "another message", "phases": None}, "blog@web1: another message"),
        ({}, "blog@web1: "),
    ],
)
def test_a_result_is_one_line_with_its_times(result: dict[str, object], line: str) -> None:
    assert result_text("blog@web1", "blog", result) == line
