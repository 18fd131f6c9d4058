# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of the release transaction: what to make, what to prune, what to go back to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.options import Options
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.release import layout, prune
from hypothesis import given
from hypothesis import strategies as st

BLOG = Options(name="blog", path=Path("/srv/blog"), repo="git@example.com:blog.git")
IN_PLACE = Options(name="blog", path=Path("/srv/blog"), repo="git@example.com:blog.git", strategy="in_place")
A, B, C = "a" * 40, "b" * 40, "c" * 40
NAMES = st.lists(st.sampled_from([letter * 12 for letter in "abcdef"]), unique=True)


def all_made(wanted: Options) -> frozenset[Path]:
    return frozenset(layout.directories(wanted))


def test_nothing_there_means_directories_then_clone() -> None:
    steps = layout.plan_layout(layout.Layout(), BLOG)
    assert steps[0] == layout.MakeDirectory(Path("/srv/blog"))
    assert layout.MakeDirectory(Path("/srv/blog/releases")) in steps
    assert steps[-1] == layout.Clone("git@example.com:blog.git")


def test_in_place_needs_no_releases() -> None:
    assert layout.MakeDirectory(Path("/srv/blog/releases")) not in layout.plan_layout(layout.Layout(), IN_PLACE)


def test_all_there_means_nothing_to_do() -> None:
    assert layout.plan_layout(layout.Layout(present=all_made(BLOG), url=str(BLOG.repo)), BLOG) == []


def test_what_is_in_the_place_of_the_clone_is_left_alone() -> None:
    with pytest.raises(ReleaseError, match="/srv/blog/source is not a git clone"):
        layout.plan_layout(layout.Layout(occupied=True), BLOG)


def test_without_a_clone_the_address_of_the_repository_is_needed() -> None:
    with pytest.raises(ReleaseError, match="no clone at /srv/blog/source"):
        layout.plan_layout(layout.Layout(), Options(name="blog", path=Path("/srv/blog")))


def test_another_address_is_set() -> None:
    found = layout.Layout(present=all_made(BLOG), url="old")
    assert layout.plan_layout(found, BLOG) == [layout.SetUrl(str(BLOG.repo))]


def test_the_ssh_of_the_clone_is_set_before_its_address_and_can_be_removed() -> None:
    found = layout.Layout(present=all_made(BLOG), url="old", ssh_command="ssh -i old")
    with_key, without = (replace(BLOG, ssh_command=command) for command in ("ssh -i key", ""))
    address = layout.SetUrl(str(BLOG.repo))
    assert layout.plan_layout(found, with_key) == [layout.SetSshCommand("ssh -i key"), address]
    assert layout.plan_layout(found, without) == [layout.SetSshCommand(""), address]
    assert layout.plan_layout(replace(found, ssh_command="ssh -i key"), with_key) == [address]
    assert layout.plan_layout(found, BLOG) == [address], "what is not named stays"
    assert layout.plan_layout(layout.Layout(present=all_made(BLOG)), with_key) == [layout.Clone(str(BLOG.repo))]


def test_uploads_move_only_when_shared_has_none() -> None:
    found = layout.Layout(present=all_made(BLOG), url=str(BLOG.repo), uploads=frozenset({"public/system"}))
    assert layout.plan_layout(found, BLOG) == [layout.MoveToShared("public/system")]
    there = found.present | {Path("/srv/blog/shared/public/system")}
    assert layout.plan_layout(layout.Layout(there, found.url, uploads=found.uploads), BLOG) == []


def test_every_step_says_what_it_does() -> None:
    steps: list[layout.Step] = [
        layout.MakeDirectory(Path("/x")),
        layout.Clone("url"),
        layout.SetUrl("url"),
        layout.SetSshCommand("ssh -i key"),
        layout.SetSshCommand(""),
        layout.MoveToShared("data"),
    ]
    assert len({layout.describe(step) for step in steps}) == len(steps)


@pytest.mark.parametrize(
    ("lines", "live", "steps", "chosen"),
    [
        ("a b", B, 1, "a"),
        ("a b a", A, 1, "b"),
        ("a b b b", B, 1, "a"),
        ("a b c", C, 2, "a"),
        ("a b c b", B, 2, "b"),
        ("a b c", B, 1, "a"),
        ("a b", C, 1, "b"),
        ("a b", None, 1, "b"),
    ],
)
def test_steps_count_back_from_what_is_live(lines: str, live: str | None, steps: int, chosen: str) -> None:
    """What is live may be no line at all, after a change by hand: it then stands behind the last one."""
    assert history.steps_back([letter * 7 for letter in lines.split()], live, steps) == chosen * 7


@pytest.mark.parametrize(("lines", "steps"), [("", 1), ("a", 1), ("a a", 1), ("a b", 2), ("a b c", 3)])
def test_past_the_log_is_an_error(lines: str, steps: int) -> None:
    known = [letter * 7 for letter in lines.split()]
    number = r"(no earlier deploy is|only 1 earlier deploy is|only [2-9] earlier deploys are)"
    with pytest.raises(ReleaseError, match=rf"cannot go back \d steps?: {number} logged"):
        history.steps_back(known, known[-1] if known else None, steps)


def test_a_commit_of_the_log_is_found_however_short() -> None:
    lines = ["a" * 7, "b" * 9]
    assert history.find(lines, "B" * 4) == "b" * 9
    assert history.find(lines, B) == "b" * 9
    with pytest.raises(ReleaseError, match="never been live") as caught:
        history.find(lines, C)
    assert "aaaaaaa bbbbbbbbb" in caught.value.hint


def test_a_name_that_several_commits_of_the_log_have_is_refused() -> None:
    lines = ["abcd111", "abcd222", "abcd1112", "abcd222"]
    assert history.find(lines, "abcd1") == "abcd111"
    with pytest.raises(ReleaseError, match="abcd is ambiguous: it could be abcd111 or abcd222"):
        history.find(lines, "abcd")
    with pytest.raises(ReleaseError, match="to is 'abc'"):
        history.find(["abcd111"], "abc")


def test_the_newest_by_the_log_are_kept() -> None:
    ages = {letter * 12: 0.0 for letter in "abc"}
    assert prune.to_prune(ages, ["c" * 7, "a" * 7, "b" * 7], 2, []) == ["c" * 12]


def test_what_was_never_live_goes_first_by_age() -> None:
    ages = {"a" * 12: 3.0, "b" * 12: 2.0, "c" * 12: 1.0}
    assert prune.to_prune(ages, ["c" * 7], 1, []) == ["a" * 12, "b" * 12]


@given(names=NAMES, lines=st.lists(st.sampled_from("abcdef")), keep=st.integers(1, 7), data=st.data())
def test_pruning_never_takes_the_untouchable_nor_more_than_needed(
    names: list[str], lines: list[str], keep: int, data: st.DataObject
) -> None:
    untouchable = data.draw(st.sets(st.sampled_from(names))) if names else set()
    gone = prune.to_prune(dict.fromkeys(names, 0.0), [letter * 7 for letter in lines], keep, untouchable)
    assert untouchable.isdisjoint(gone)
    assert len(names) - len(gone) >= min(keep, len(names))
    assert len(names) - len(gone) <= keep + len(untouchable)
