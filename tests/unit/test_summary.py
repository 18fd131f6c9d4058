"""What the terminal shows."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import (
    age,
    rollout_table,
    status_table,
    supervisor,
    table,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3.0, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86400 * 3 + 1, "3d"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(seconds: float | None, text: str) -> None:
    """One unit is enough to tell a release of today from one of last month."""
    assert age(seconds) == text


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
def test_a_supervisor_is_its_state_and_its_active_workers(procmon: dict[str, object] | None, text: str) -> None:
    """Draining workers are there, and do not serve."""
    assert supervisor(procmon) == text


def test_a_server_that_does_not_answer_keeps_its_row() -> None:
    """One server that is down must not hide the others, nor itself."""
    lines = status_table(
        {
            "blog@web2": {"unreachable": True, "msg": "no route to host\nsecond line"},
            "blog@web1": {
                "commit": "0123456789abcdef",
                "age": 7200,
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
    assert "s" * 39 + "…" in lines[1]
    assert lines[2].endswith("no route to host")


def test_a_rollout_that_was_stopped_is_told_server_by_server() -> None:
    """Whoever reads it must know which servers run what, without a second look."""
    old, new = "a" * 40, "b" * 40
    ends = {"commit": new, "previous_commit": old}
    lines = rollout_table(
        {
            "blog@a": {**ends, "outcome": "live"},
            "blog@b": {**ends, "outcome": "put_back", "failed": True},
            "blog@c": {**ends, "outcome": "failed", "failed": True},
            "blog@d": {**ends, "outcome": "broken", "failed": True},
            "blog@e": {"unreachable": True},
            "blog@f": {**ends, "outcome": "prepared"},
            "blog@g": {},
            "blog@h": {"outcome": "failed", "failed": True, "previous_commit": None},
            "blog@i": {**ends, "outcome": "unchanged", "changed": False},
            "blog@j": {**ends, "outcome": "unchanged", "changed": True},
            "blog@k": {"outcome": "unchanged", "changed": False, "failed": True, "previous_commit": old},
        }
    )
    assert [" ".join(line.split()) for line in lines] == [
        "SERVER RUNS NOTE",
        "blog@a bbbbbbbbbbbb went live",
        "blog@b aaaaaaaaaaaa bbbbbbbbbbbb failed, put back",
        "blog@c aaaaaaaaaaaa failed, nothing was changed",
        "blog@d not known failed, and what was live could not be put back",
        "blog@e not known cannot be reached",
        "blog@f aaaaaaaaaaaa bbbbbbbbbbbb is prepared, not reached",
        "blog@g what it did not reached",
        "blog@h nothing failed, nothing was changed",
        "blog@i bbbbbbbbbbbb was live already",
        "blog@j aaaaaaaaaaaa not reached",
        "blog@k aaaaaaaaaaaa failed, nothing was changed",
    ]
