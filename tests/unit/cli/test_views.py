"""What the commands that show something print, made of what servers answered."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from onetouch_deploy import results, views
from onetouch_deploy.results import Result

INFO = "onetouch.deploy.project_status"


def answer(host: str, **data: object) -> Result:
    """Return what releases_info returns on a host."""
    return Result(host, INFO, "ok", data)


def entry(time: str, outcome: str = "live", **more: object) -> dict[str, object]:
    """Return a line of the journal."""
    commit = "1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708"
    return {"time": time, "by": "tj", "action": "deploy", "ref": "v1", "commit": commit, "outcome": outcome, **more}


@pytest.mark.parametrize(
    ("view", "log", "shown"),
    [
        ("list", ["aaaa", "bbbb", "cccc"], ["aaaa", "bbbb", "cccc"]),
        ("previous", ["aaaa", "bbbb", "cccc"], ["bbbb"]),
        ("previous", ["aaaa"], ["aaaa"]),
        ("previous", [], []),
        ("current", ["aaaa"], ["0123456789ab"]),
    ],
)
def test_commits_of_the_log_as_in_the_original(view: str, log: list[str], shown: list[str]) -> None:
    assert views.commits(answer("blog@a", history=log, commit="0123456789abcdef"), view) == shown


def test_nothing_live_shows_no_commit() -> None:
    assert views.commits(answer("blog@a", commit=None, history=[]), "current") == []


def test_of_several_servers_each_commit_has_its_server() -> None:
    found = [answer("blog@a", history=["aaaa", "bbbb"]), answer("blog@b", history=["aaaa"])]
    assert views.commit_lines(found, "list", None) == ["blog@a aaaa", "blog@a bbbb", "blog@b aaaa"]
    assert views.commit_lines(found[:1], "list", 1) == ["bbbb"]


def test_history_is_in_the_order_of_time() -> None:
    took = [{"name": "fetch", "seconds": 1.5}, {"name": "switch", "seconds": 0.25}]
    found = views.attempts(
        [
            answer("blog@a", journal=[entry("2026-11-02T00:00:00Z", "put_back", error="test failed\nmore")]),
            answer("blog@b", journal=[entry("2026-11-01T00:00:00Z", phases=took), entry("2026-11-03T00:00:00Z")]),
        ],
        lines=None,
    )
    assert views.history_lines(found) == [
        "2026-11-01T00:00:00Z  blog@b  tj  deploy  v1  1f0c9a2be6f3  1.8 s  live",
        "2026-11-02T00:00:00Z  blog@a  tj  deploy  v1  1f0c9a2be6f3  -      put_back  test failed",
        "2026-11-03T00:00:00Z  blog@b  tj  deploy  v1  1f0c9a2be6f3  -      live",
    ]


def test_history_of_damaged_entries() -> None:
    """The journal is a file that people may have edited."""
    found = views.attempts([answer("blog@a", journal=[{"phases": "x", "commit": 5}, {}])], lines=1)
    assert [attempt.cells() for attempt in found] == [["-", "blog@a", "-", "-", "-", "-", "-", "-", ""]]


@pytest.mark.parametrize(("seconds", "length"), [(10, 20), (5, 10), (0.01, 1), (0, 0), (None, 0)])
def test_bars_are_as_long_as_attempts_took(seconds: float | None, length: int) -> None:
    assert len(views.time_bar(seconds, 10)) == length


def test_the_table_shows_what_the_lines_show() -> None:
    found = views.attempts([answer("blog@a", journal=[entry("2026-11-01T00:00:00Z", ref="[red]x")])], lines=None)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(views.history_table(found))
    assert console.export_text().splitlines()[1].split() == [
        *("2026-11-01T00:00:00Z", "blog@a", "tj", "deploy", "[red]x", "1f0c9a2be6f3", "-", "live")
    ]


@pytest.mark.parametrize("hosts", [("blog@a",), ("blog@a", "blog@b")])
def test_the_table_fits_a_small_terminal(hosts: tuple[str, ...]) -> None:
    """No cell is cut but a long ref; the reason of a failure goes on below itself."""
    failed = entry("2026-11-01T00:00:00Z", ref="a-branch-with-a-long-name", error="the new workers failed to start")
    found = views.attempts([answer(host, journal=[{**failed, "outcome": "put_back"}]) for host in hosts], lines=None)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(views.history_table(found, 80))
    head, first, *_more = console.export_text().splitlines()
    middle = "tj" if len(hosts) == 1 else "blog@a"
    assert head.split() == [*("WHEN", "(UTC)", "WHO" if middle == "tj" else "WHERE"), *views.HEADS[3:], "TOOK", "ENDED"]
    assert first.split()[:8] == ["2026-11-01", "00:00", middle, "deploy", "a-branch-wi…", "1f0c9a2", "-", "put_back:"]


VALUES = {"ref": "v1", "post_deploy": "./x", "forward_agent": True, "heartbeat": {"path": "/up"}, "hosts": ["a", "b"]}


def test_a_section_in_the_originals_form() -> None:
    assert views.config_lines(VALUES) == [
        *("ref v1", "post-deploy ./x", "forward-agent yes", "heartbeat.path /up", "hosts a b")
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ref", "v1"),
        ("post-deploy", "./x"),
        ("post_deploy", "./x"),
        ("heartbeat.path", "/up"),
        ("heartbeat", {"path": "/up"}),
        ("nope", None),
    ],
)
def test_the_value_of_a_key(key: str, value: object) -> None:
    assert views.value_of(VALUES, key) == value


def test_json_has_the_last_answer_of_each_server_and_all_failures() -> None:
    found = [
        Result("blog@a", "onetouch.deploy.rollout", "ok", {"commit": None}),
        Result("blog@a", "onetouch.deploy.rollout", "failed", {"msg": "no"}),
        Result("blog@b", "onetouch.deploy.rollout", "unreachable", {"msg": "away"}),
        Result("localhost", "ansible.builtin.assert", "failed", {}),
    ]
    assert json.loads(results.as_json(2, found)) == {
        "exit_code": 2,
        "results": [{"project": "blog", "server": "a", "ok": False, "msg": "no"}],
        "errors": [
            {"host": "blog@b", "outcome": "unreachable", "msg": "away"},
            {"host": "localhost", "outcome": "failed", "msg": "failed without a message"},
        ],
    }
