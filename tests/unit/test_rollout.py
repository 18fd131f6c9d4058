"""The order of the servers: projects side by side, the servers of one in turns, and what a failure stops."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._rollout import (
    first_failed,
    hosts_before,
    in_turns,
    lost,
    not_reached,
    project_servers,
    read_at_once,
    succeeded,
)

SERVERS = ["a", "b", "c", "d", "e"]


def test_the_first_servers_of_all_projects_come_first() -> None:
    assert in_turns({"blog": ["b1", "b2", "b3"], "shop": ["s1"], "wiki": ["w1", "w2"]}) == [
        *("b1", "s1", "w1"),
        *("b2", "w2"),
        "b3",
    ]
    assert in_turns({}) == []


def test_the_servers_of_a_project_are_those_of_its_group_in_the_play() -> None:
    groups = {"blog": ["blog@c", "blog@b", "blog@a"]}
    assert project_servers("blog@a", "blog", ["blog@a", "shop@a", "blog@b"], groups) == ["blog@a", "blog@b"]
    assert project_servers("web1", "wiki", ["web1", "web2"], groups) == ["web1"], "a project without a group"
    assert project_servers("web1", "blog", ["web1", "blog@a"], groups) == ["web1", "blog@a"], "a group of another kind"


@pytest.mark.parametrize(
    ("at_once", "before"),
    [
        (1, [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]),
        (2, [[], [], ["a", "b"], ["a", "b"], ["a", "b", "c", "d"]]),
        (5, [[], [], [], [], []]),
        (9, [[], [], [], [], []]),
    ],
)
def test_a_turn_comes_when_all_turns_before_it_are_over(at_once: int, before: list[list[str]]) -> None:
    assert [hosts_before(host, SERVERS, at_once) for host in SERVERS] == before


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, 1), ("1", 1), (3, 3), (" 2 ", 2), ("0", None), ("-1", None), ("50%", None), ("", None), ([1], None)],
)
def test_at_once_is_a_whole_number(value: object, number: int | None) -> None:
    assert read_at_once(value) == number


@pytest.mark.parametrize(
    ("result", "well"),
    [
        ({"outcome": "live"}, True),
        ({"outcome": "unchanged"}, True),
        ({"outcome": "prepared"}, True),
        ({"outcome": "unchanged", "failed": True}, False),
        ({"outcome": "put_back", "failed": True}, False),
        ({"outcome": "not_reached", "skipped": True}, False),
        ({"failed": True}, False),
        ({}, False),
    ],
)
def test_only_a_success_lets_the_next_one_go_on(result: dict[str, object], *, well: bool) -> None:
    """One that was not reached is none: with it the turns after it stop, too."""
    assert succeeded(result) is well
    assert first_failed(["x", "y"], {"x": {"outcome": "live"}, "y": result}) == (None if well else "y")


def test_a_server_whose_turn_did_not_come_keeps_what_its_first_step_found() -> None:
    found = {"commit": "c", "previous_commit": None, "changed": True, "outcome": "prepared"}
    assert not_reached("blog@a", found) == {
        "commit": "c",
        "previous_commit": None,
        "changed": False,
        "skipped": True,
        "outcome": "not_reached",
        "msg": "not reached, because blog@a failed",
    }


@pytest.mark.parametrize(
    ("connected", "harmless", "outcome"),
    [(False, False, "unreachable"), (True, True, "unreachable"), (True, False, "lost")],
)
def test_a_connection_that_breaks_while_something_changes_leaves_it_unknown(
    *, connected: bool, harmless: bool, outcome: str
) -> None:
    assert lost("blog@a", "refused", "refused. Try", connected=connected, harmless=harmless)["outcome"] == outcome
