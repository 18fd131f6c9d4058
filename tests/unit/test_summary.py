"""What the terminal shows."""

from __future__ import annotations

import json

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import (
    failed_result,
    left_in_configuration,
    removal_lines,
    restart_result,
    result_text,
    rollout_table,
    table,
)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """A reader compares rows; no row ends in blanks."""
    assert table([("A", "B", "C"), ("long", "x", "")]) == ["A     B  C", "long  x"]


OLD, NEW = "a" * 40, "b" * 40
ENDS = {"commit": NEW, "previous_commit": OLD}


@pytest.mark.parametrize(
    ("result", "row"),
    [
        ({**ENDS, "outcome": "live"}, "bbbbbbbbbbbb went live"),
        ({**ENDS, "outcome": "put_back"}, "aaaaaaaaaaaa failed, previous release restored"),
        ({**ENDS, "outcome": "failed"}, "aaaaaaaaaaaa failed, nothing was changed"),
        ({**ENDS, "outcome": "broken"}, "not known failed, and could not be restored"),
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
    assert (result["outcome"], result["workers"]) == ("restarted", 2)
    assert "waits_for_setup" not in result
    answer = {"stdout": json.dumps({**status, "bind": "127.0.0.1:1"})}
    assert restart_result("blog@a", "blog", answer, "127.0.0.1:1")["msg"] == result["msg"]
    waits = "Run setup for: bind (127.0.0.1:1 serves, 127.0.0.1:2 is configured)"
    other = restart_result("blog@a", "blog", answer, "127.0.0.1:2")
    assert other["msg"] == f"{result['msg']}. {waits}"
    assert waits == f"Run setup for: {other['waits_for_setup']}"


def test_a_restart_that_failed_gives_the_reason_of_procmon() -> None:
    answer = {
        "failed": True,
        "rc": 1,
        "stderr": "blog: reload failed: no app\n",
        "stdout": "",
        "msg": "non-zero return code",
    }
    assert restart_result("blog@a", "blog", answer)["msg"] == "blog@a: reload failed: no app"


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


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ({"removed": ["a", "b"]}, ["removed a, b"]),
        (
            {"removed": [], "kept": "/srv"},
            ["removed nothing", "kept /srv; `deploy blog remove --data` removes it as well"],
        ),
        (
            {"kept": "/srv", "kept_key": "/k"},
            ["removed nothing", "kept /srv and the deploy key /k; `deploy blog remove --data` removes both as well"],
        ),
    ],
)
def test_what_a_removal_has_taken_and_kept(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, object], lines: list[str]
) -> None:
    monkeypatch.setenv("ONETOUCH_DEPLOY_TYPED", "deploy")
    assert removal_lines("blog@web1", result, check=False) == [f"blog@web1: {line}" for line in lines]
    assert removal_lines("blog@web1", {"removed": ["a"]}, check=True) == ["blog@web1: would remove a"]
    monkeypatch.delenv("ONETOUCH_DEPLOY_TYPED")
    kept = removal_lines("blog@web1", {"kept": "/srv"}, check=False)[1]
    assert "`ansible-playbook remove.yml -e project=blog -e data=true` removes it" in kept


def test_what_is_left_in_the_configuration_after_a_removal() -> None:
    both = ["blog@web1", "blog@web2"]
    assert left_in_configuration("blog", both, both).startswith("Now take the section blog out of projects.yml")
    assert left_in_configuration("blog", both[:1], both).startswith("Now take web1 in the section blog out of")


@pytest.mark.parametrize(
    "stderr",
    [
        "sh: 1: /opt/procmon/current/venv/bin/procmon: not found",
        "sh: line 1: /opt/procmon/current/venv/bin/procmon: No such file or directory",
        "procmon: /etc/procmon/blog.toml: cannot be read: No such file or directory",
    ],
)
def test_a_restart_before_setup_names_setup(stderr: str) -> None:
    result = restart_result("blog@a", "blog", {"failed": True, "stderr": stderr})
    again = "Run `ansible-playbook setup.yml -e project=blog`"
    assert result["msg"] == f"blog@a: the project is not set up on this server: {stderr}. {again}"
