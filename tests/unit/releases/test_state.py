# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a run that was interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import Current, Target
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.options import Options
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import state as attempt
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records.state import Recovery

NEW = "b" * 40
TRIED = attempt.Attempt(
    started="2026-11-23T15:28:49Z",
    by="tj",
    action="deploy",
    strategy="releases",
    ref="master",
    commit=NEW,
    release="/srv/releases/new",
    link="releases/old",
    previous="a" * 40,
    source_head="a" * 40,
    lines=1,
    id="0123456789ab",
)


@pytest.mark.parametrize(
    ("link", "lines", "remedy"),
    [
        ("releases/old", "a", Recovery.UNDO),
        ("releases/new", "a", Recovery.UNDO),
        ("releases/new", "a b", Recovery.FINISH),
        ("/srv/source", "a", Recovery.LEAVE),
        ("/srv/source", "a c", Recovery.LEAVE),
        ("releases/old", "a c", Recovery.LEAVE),
        (None, "a", Recovery.LEAVE),
    ],
)
def test_the_line_in_the_log_decides(link: str | None, lines: str, remedy: Recovery) -> None:
    """It is written when everything has been verified. With a line or a link of another deploy nothing is undone."""
    logged = [letter * 7 for letter in lines.split()]
    assert attempt.choose_recovery(TRIED, link, "releases/new", logged) == remedy


def test_an_attempt_contains_what_was_live_before() -> None:
    assert TRIED.live_before() == Current(link="releases/old", commit="a" * 40, source_head="a" * 40)


def test_a_new_attempt_without_a_target_has_the_wanted_ref() -> None:
    options = Options(name="blog", path=Path("/srv/blog"), by="tj", to="a" * 7)
    one, other = (attempt.new_attempt(options, "revert", Current()) for _ in range(2))
    assert (one.ref, one.commit, one.release, one.lines, one.by) == ("a" * 7, "", "", 0, "tj")
    assert one.id != other.id
    target = Target(NEW, Path("/srv/releases/new"), "master")
    assert attempt.new_attempt(options, "deploy", Current(), target).ref == "master"


def test_times_are_utc_and_sort_as_text() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= datetime.strptime(attempt.now(), "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(UTC)


def test_an_attempt_survives_the_disk(tmp_path: Path) -> None:
    attempt.write(tmp_path / "state", TRIED)
    assert attempt.read(tmp_path / "state") == TRIED
    assert attempt.read(tmp_path / "absent") is None


@pytest.mark.parametrize("text", ["", "{}", '{"started": 1}', "[]"])
def test_a_state_that_says_nothing_is_an_error_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text)
    with pytest.raises(ReleaseError, match="is corrupt: it records an interrupted deploy but cannot be read"):
        attempt.read(tmp_path / "state")


@pytest.mark.parametrize(
    ("outcome", "over"),
    [("live", True), ("put_back", True), ("recovered", True), ("broken", False), ("interrupted", False)],
)
def test_the_journal_says_whether_only_the_state_was_left_behind(outcome: str, over: object) -> None:
    """After a put-back that failed, or one that was interrupted, there is still something to do."""
    assert attempt.is_finished(TRIED, [TRIED.entry(outcome, [])]) is over
    assert not attempt.is_finished(TRIED, [])


def test_two_attempts_at_one_commit_in_one_second_are_two() -> None:
    """The first was put back; the second was killed, and is to be undone."""
    first = replace(TRIED, id="ba9876543210")
    assert not attempt.is_finished(TRIED, [first.entry("put_back", [])])


def test_an_attempt_of_an_earlier_version_has_no_id(tmp_path: Path) -> None:
    """It goes by its time and its commit."""
    message = {name: value for name, value in asdict(TRIED).items() if name != "id"}
    (tmp_path / "state").write_text(json.dumps(message))
    old = attempt.read(tmp_path / "state")
    assert old == replace(TRIED, id="")
    entry = {name: value for name, value in TRIED.entry("live", []).items() if name != "id"}
    assert attempt.is_finished(old, [entry])
    assert not attempt.is_finished(old, [{**entry, "time": "2026-11-23T15:28:48Z"}])


def test_an_attempt_that_could_not_restore_is_broken() -> None:
    other = {"id": "other", "outcome": "broken"}
    assert not attempt.is_broken(TRIED, [other, {"id": TRIED.id, "outcome": "failed"}])
    assert attempt.is_broken(TRIED, [other, {"id": TRIED.id, "outcome": "broken"}])
