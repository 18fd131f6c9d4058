# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `releases_info` returns, from what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import facts
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import Current

ONE, TWO = "1" * 40, "2" * 40
NOW = 1764129600.0  # 2025-11-26T04:00:00Z


def entry(commit: str, clock: str, outcome: str = "live") -> dict[str, str]:
    return {"commit": commit, "time": f"2025-11-26T{clock}:00Z", "outcome": outcome}


@pytest.mark.parametrize(
    ("entries", "since"),
    [
        ([], None),
        ([entry(TWO, "03:00")], "03:00"),
        ([entry(ONE, "02:00"), entry(TWO, "03:00"), entry(TWO, "03:30")], "03:00"),
        ([entry(TWO, "01:00"), entry(ONE, "02:00"), entry(TWO, "03:00")], "03:00"),
        ([entry(TWO, "03:00"), entry(ONE, "03:30", "put_back")], "03:00"),
        ([entry(TWO, "03:00", "recovered")], "03:00"),
        ([entry(TWO, "03:00", "failed"), entry(TWO, "03:10", "interrupted")], None),
        ([entry(TWO, "03:00"), entry(ONE, "03:30")], None),
        ([{"outcome": "live"}, {"outcome": "live", "commit": TWO, "time": None}], None),
    ],
)
def test_a_commit_is_live_since_the_first_of_its_last_entries(entries: list[dict[str, str]], since: str | None) -> None:
    """An attempt that failed or was put back changes nothing, and the same commit again is the same release."""
    expected = since and facts.parse_time(f"2025-11-26T{since}:00Z")
    assert facts.live_since(entries, TWO) == expected


@pytest.mark.parametrize("text", [None, "", "just now", 3, "2025-11-26"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert facts.parse_time(text) is None
    assert facts.parse_time("2025-11-26T04:00:00Z") == NOW


@pytest.mark.parametrize(
    ("doing", "since", "sentence"),
    [
        ("deploy origin/main", "2025-11-26T03:59:47Z", "root@laptop is deploying origin/main, for 13 s"),
        ("prepare origin/main", "2025-11-26T04:00:01Z", "root@laptop is preparing origin/main, for 0 s"),
        ("revert 1", "2025-11-26T03:59:00Z", "root@laptop is reverting 1 step, for 60 s"),
        ("revert to 0123456", "2025-11-26T03:59:00Z", "root@laptop is reverting to 0123456, for 60 s"),
        ("revert 2", "2025-11-26T03:59:00Z", "root@laptop is reverting 2 steps, for 60 s"),
        ("setup", "2025-11-26T03:59:59Z", "root@laptop is setting up, for 1 s"),
        ("starting", "just now", "root@laptop is starting"),
    ],
)
def test_who_holds_the_lock_is_one_sentence(doing: str, since: str, sentence: str) -> None:
    assert facts.activity({"by": "root@laptop", "doing": doing, "since": since}, NOW) == sentence


CALM: dict[str, Any] = {
    "commit": ONE,
    "release": "/p/releases/111111111111",
    "drift": [],
    "locked_by": None,
    "interrupted": None,
    "behind": 0,
    "procmon": {"state": "serving", "release": "/p/releases/111111111111"},
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"behind": 2}, ["2 behind"]),
        ({"commit": None, "release": None}, ["never deployed"]),
        (
            {"commit": None, "drift": ["current points at x, which is no release"]},
            ["current points at x, which is no release"],
        ),
        (
            {"interrupted": {"by": "tj", "started": "T", "id": "1"}, "journal": []},
            ["the run of tj at T was interrupted; the next deploy or revert recovers from it"],
        ),
        (
            {"interrupted": {"by": "tj", "started": "T", "id": "1"}, "journal": [{"id": "1", "outcome": "broken"}]},
            [
                "the run of tj at T failed and could not restore the previous release; "
                "the next deploy or revert recovers from it"
            ],
        ),
        ({"procmon": {"state": "serving", "release": "/other"}}, ["procmon serves /other"]),
        ({"procmon": {"state": "reloading", "release": None}}, ["procmon serves None"]),
        ({"procmon": {"state": "not running"}}, []),
        ({"procmon": {**CALM["procmon"], "restart": {"result": "failed"}}}, ["the last reload failed"]),
        ({"procmon": None}, []),
    ],
)
def test_notes_are_what_is_not_as_it_should_be(changed: dict[str, Any], expected: list[str]) -> None:
    assert facts.notes({**CALM, **changed}, cloned=True, now=NOW) == expected


def test_a_project_that_was_not_set_up_is_no_more_than_that() -> None:
    assert facts.notes({**CALM, "commit": None, "release": None}, cloned=False, now=NOW) == ["not set up"]


def test_while_a_run_is_under_way_its_sentence_is_the_only_note() -> None:
    """What it has not finished yet looks like drift."""
    holder = {"by": "root@laptop", "doing": "deploy origin/main", "since": "2025-11-26T03:59:47Z"}
    busy = {**CALM, "locked_by": holder, "drift": ["the log ends with 1, live is 2"], "behind": 1}
    assert facts.notes(busy, cloned=True, now=NOW) == ["root@laptop is deploying origin/main, for 13 s"]


@pytest.mark.parametrize(
    ("live", "lines", "expected"),
    [
        (Current(), [], []),
        (Current(), [ONE], ["the log has commits, but there is no current"]),
        (Current(link="releases/x"), [ONE], ["current points at releases/x, which is no release"]),
        (Current("l", Path("/r"), ONE, ONE), [ONE[:7]], []),
        (Current("l", Path("/r"), ONE, None), [ONE[:7]], []),
        (Current("l", Path("/r"), ONE, ONE), [], ["the log ends with nothing, live is 111111111111"]),
        (Current("l", Path("/r"), ONE, ONE), [TWO], ["the log ends with 222222222222, live is 111111111111"]),
        (Current("l", Path("/r"), ONE, TWO), [ONE], ["the HEAD of source is 222222222222, live is 111111111111"]),
    ],
)
def test_drift_is_where_records_disagree(live: Current, lines: list[str], expected: list[str]) -> None:
    assert facts.drift(live, lines) == expected


def test_what_a_deploy_would_lack_is_noted_before_the_first_one() -> None:
    before = {**CALM, "commit": None, "release": None, "ref_problem": "no tag. Set ref"}
    assert facts.notes(before, cloned=True, now=NOW) == [
        "never deployed",
        "nothing to deploy, by what was fetched last: no tag. Set ref",
    ]
