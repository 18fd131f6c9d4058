"""The screen of `status`: as wide as the terminal, one row per host, and what a person should know below it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _status_table as screen
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.text import cells

SHA = "1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708"


def answer(**changed: object) -> dict[str, Any]:
    """Return what a server answers about a project that serves."""
    workers = [{"state": "active", "requests": 1200, "rss_bytes": 31 << 20} for _ in range(2)]
    procmon = {
        "state": "serving",
        "workers": workers,
        "heartbeat": {"status": 200, "failures": 0},
        "restart": {"result": "ok", "seconds": 0.62},
    }
    common: dict[str, Any] = {"commit": SHA, "subject": "Greet in French, and in other languages", "live_seconds": 7200}
    common |= {"behind": 0, "journal": [{"outcome": "live", "by": "tj@laptop", "commit": SHA}], "notes": []}
    return {**common, "procmon": procmon, **changed}


SIX_ON_TWO = {
    f"{project}@{server}.example.com": answer()
    for project in ("admin", "blog", "cricket", "docs", "mail", "shop")
    for server in ("web1", "web2")
}


def test_a_row_has_all_that_a_wide_screen_holds() -> None:
    assert screen.status_lines({"blog@web1": answer(behind=2, notes=["2 behind"])}) == [
        "PROJECT  SERVER  LIVE          SINCE  BY  BEHIND  WORKERS  REQUESTS  MEMORY  BEAT  RELOAD  SUBJECT",
        "blog     web1    1f0c9a2be6f3     2h  tj       2  2/2          2400     62M  200   0.6s"
        "    Greet in French, and in other languages",
    ]


def test_six_projects_on_two_servers_fit_on_one_screen() -> None:
    lines = screen.status_lines(SIX_ON_TWO, 80)
    assert len(lines) == 13
    assert lines[0] == "PROJECT  SERVER  LIVE          SINCE  BY  WORKERS  BEAT  SUBJECT"
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("admin    web1    1f0c9a2be6f3     2h  tj")
    assert lines[1].endswith("  Greet in French, and i…")
    short = {host: answer(subject="Greet") for host in SIX_ON_TWO}
    assert "MEMORY" in screen.status_lines(short, 80)[0], "the subjects need no more room"


@pytest.mark.parametrize("width", [30, 50, 80, 100, 200])
def test_project_server_commit_age_and_workers_are_always_there(width: int) -> None:
    head, row, *_rest = screen.status_lines(SIX_ON_TWO, width)
    assert [*head.split()][:3] == ["PROJECT", "SERVER", "LIVE"]
    assert {"SINCE", "WORKERS"} <= {*head.split()}
    assert row.split()[:4] == ["admin", "web1", "1f0c9a2be6f3", "2h"]


def test_notes_stand_below_their_row_and_are_cut() -> None:
    notes = ["settings wait for a deploy: workers, env.SECRET, heartbeat.path", "run setup for: bind"]
    lines = screen.status_lines({"blog@web1": answer(notes=notes)}, 50)
    assert lines[2:] == ["    settings wait for a deploy: workers, env.SECR…", "    run setup for: bind"]


def test_a_subject_is_as_long_as_the_screen_has_room_for() -> None:
    long = {"blog@web1": answer(subject="word " * 60)}
    assert len(screen.status_lines(long, 160)[1]) == 160
    assert len(screen.status_lines(long, 80)[1]) == 80
    shown = screen.status_lines(long)[1]
    assert len(shown[shown.index("word") :]) == 60, "in a pipe"


def test_a_server_that_does_not_answer_has_its_reason() -> None:
    lines = screen.status_lines({"blog@web1": answer(), "blog@web2": {"unreachable": True, "msg": "refused\nmore"}}, 80)
    assert lines[2].split()[:3] == ["blog", "web2", "?"]
    assert lines[3:] == ["blog@web2: refused"]


def test_what_several_projects_share_is_one_reason() -> None:
    """Six projects on a server that does not answer have their rows, and one reason that fits the screen."""
    silent = {"unreachable": True, "msg": f"cannot be reached: {'refused ' * 12}at last"}
    results = {f"p{number}@web{server}": silent if server else answer() for number in range(6) for server in (0, 1)}
    rows = screen.status_lines(results, 80)[13:]
    assert rows == [
        "p0, p1, p2, p3, p4, p5 on web1: cannot be reached: refused refused refused",
        "    refused refused refused refused refused refused refused refused refused at",
        "    last",
    ]


def test_servers_of_one_project_on_different_commits_are_named_once() -> None:
    other = answer(commit="f" * 40)
    lines = screen.status_lines({"blog@web1": answer(), "blog@web2": other, "shop@web1": answer()})
    assert lines[3] == "    the servers of blog have different commits live"
    assert len(lines) == 5


def test_a_project_without_procmon_and_one_that_was_never_deployed() -> None:
    never = answer(commit=None, subject=None, live_seconds=None, behind=None, journal=[], procmon=None)
    lines = screen.status_lines({"blog@web1": never})
    assert lines[1].split() == ["blog", "web1", "-", "-"]


def test_a_procmon_that_serves_nothing_and_a_heart_that_fails() -> None:
    procmon = {"state": "failed", "workers": [], "heartbeat": {"status": None, "failures": 3}, "restart": {}}
    assert "failed   none, 3 failed" in screen.status_lines({"blog@web1": answer(procmon=procmon)})[1]


def test_workers_that_leave_do_not_count() -> None:
    states = ("active", "starting", "draining", "dying")
    procmon = {"state": "reloading", "workers": [{"state": state} for state in states]}
    assert "  1/2  " in screen.status_lines({"blog@web1": answer(procmon=procmon)})[1]


def test_who_deployed_is_shown_for_the_live_commit_only() -> None:
    """The original script has made another one live since, and writes no journal."""
    journal = [{"outcome": "live", "by": "tj@laptop", "commit": "f" * 40}, {"outcome": "failed", "by": "tj@laptop"}]
    assert "tj" not in screen.status_lines({"blog@web1": answer(journal=journal)})[1]


def test_what_others_wrote_cannot_control_the_terminal() -> None:
    lines = screen.status_lines({"blog@web1": answer(subject="a\x1b[31mb\rc", notes=["x\x1b]0;y"])}, 160)
    assert lines[1].endswith(r"a\x1b[31mb\rc")
    assert lines[2] == r"    x\x1b]0;y"


def test_wide_characters_take_two_columns() -> None:
    rows = screen.status_lines({"blog@web1": answer(subject="日本語のサイトを更新する" * 5)}, 80)
    assert max(map(cells, rows)) <= 80


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (["web1.example.com", "web2.example.com"], ["web1", "web2"]),
        (["web1.a.com", "web2.b.com"], ["web1.a.com", "web2.b.com"]),
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]),
        (["web1"], ["web1"]),
    ],
)
def test_a_domain_that_all_servers_share_is_left_out(servers: list[str], expected: list[str]) -> None:
    assert screen.short_servers(servers) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0, "0s"), (60, "1m"), (7200, "2h"), (200000, "2d"), (-5, "0s")],
)
def test_a_time_in_the_largest_unit(seconds: float | None, expected: str) -> None:
    assert screen.span(seconds) == expected


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, []),
        ({"notes": ["3 behind"], "behind": 3}, []),
        ({"notes": ["run setup for: bind"]}, ["run setup for: bind"]),
        ({"notes": ["tj@laptop is deploying main, for 3 s"], "locked_by": {"by": "tj@laptop"}}, []),
        ({"procmon": {"state": "not running", "workers": []}}, ["procmon is not running; doctor shows why"]),
        ({"procmon": {"state": "not running", "workers": []}, "commit": None}, []),
    ],
)
def test_a_machine_is_alarmed_by_what_needs_a_person(changed: dict[str, object], reasons: list[str]) -> None:
    assert screen.attention("blog@web1", {"blog@web1": answer(**changed)}) == reasons


def test_a_machine_is_alarmed_by_servers_that_differ_or_do_not_answer() -> None:
    results = {"blog@web1": answer(), "blog@web2": answer(commit="f" * 40), "shop@web1": {"msg": "no answer\nat all"}}
    found = {host: screen.attention(host, results) for host in results}
    assert found == {
        "blog@web1": [],
        "blog@web2": ["the servers of blog have different commits live"],
        "shop@web1": ["no answer"],
    }
