# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ref means, asked of a real remote."""

from __future__ import annotations

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

OLD, NEW = 1_700_000_000, 1_700_009_999


def test_a_bare_branch_name_means_the_remotes_branch(site: Site, upstream: Upstream) -> None:
    """The server's own branch of that name never moves: its commit would be stale."""
    upstream.commit("one")
    site.deploy(ref="master")
    upstream.commit("two")
    site.deploy(ref="master")
    assert site.version == "two"


@pytest.mark.parametrize(
    "ref",
    ["origin/master", "refs/heads/master", "refs/remotes/origin/master", "v1", "refs/tags/v1", "{sha}", "{short}"],
)
def test_every_way_to_name_a_commit(site: Site, upstream: Upstream, ref: str) -> None:
    sha = upstream.commit("one")
    upstream.tag("v1", annotated=True)
    site.deploy(ref=ref.format(sha=sha, short=sha[:7]))
    assert site.live == sha


def test_names_that_python_takes_for_several_lines(site: Site, upstream: Upstream) -> None:
    """One branch of that kind in the repository would fail every deploy."""
    for mark in ("\u2028", "\x85"):
        upstream.commit(f"one{mark}two", branch=f"odd{mark}name")
    upstream.commit("three")
    assert [commit.subject for commit in site.deploy().commits][1:] == ["one\\x85two", "one\\u2028two"]
    assert site.version == "three"


def test_a_commit_relative_to_a_branch(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    upstream.commit("two")
    site.deploy(ref="origin/master~1")
    assert site.live == first


def test_without_a_ref_the_newest_tag_is_meant_annotated_or_not(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", date=OLD)
    upstream.tag("v9", annotated=True, date=OLD)
    second = upstream.commit("two", date=NEW)
    upstream.tag("v10/fix")
    upstream.commit("untagged")
    site.run(ref=None)
    assert site.live == second


def test_without_a_ref_and_without_tags(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert "no ref was given and the repository has no tag" in site.fail(ref="").text


def test_a_tag_that_was_moved_is_followed(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    upstream.tag("live")
    site.deploy(ref="live")
    upstream.commit("two")
    upstream.tag("live")
    site.deploy(ref="live")
    assert site.version == "two"


def test_a_tag_that_was_deleted_is_gone(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", date=OLD)
    upstream.tag("v1")
    upstream.commit("two", date=NEW)
    upstream.tag("v2")
    site.run(state="prepared")
    upstream.delete("refs/tags/v2")
    site.run(ref=None)
    assert site.version == "one"


def test_a_name_that_is_a_branch_and_a_tag_is_refused(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    upstream.tag("master")
    failure = site.fail(ref="master")
    assert "ambiguous: a branch and a tag" in failure.text
    assert "refs/heads/master" in failure.text


def test_an_unknown_ref_lists_what_there_is(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", date=OLD)
    upstream.commit("two", branch="next", date=NEW)
    upstream.tag("v1")
    text = site.fail(ref="maste").text
    assert "ref 'maste' is unknown. Branches: next, master; newest tags: v1" in text


@pytest.mark.parametrize("ref", ["master", "", "1234567"])
def test_a_repository_without_a_commit(site: Site, upstream: Upstream, ref: str) -> None:
    assert "the repository has no commit yet. Push one first" in site.fail(ref=ref).text
    upstream.commit("one")
    site.deploy(ref="master")
    assert site.version == "one"


def test_an_unknown_sha(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert "ref '0123456' names no single commit" in site.fail(ref="0123456").text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ref": "--upload-pack=evil"}, "ref '--upload-pack=evil'"),
        ({"repo": "--evil"}, "repo '--evil'"),
        ({"repo": "ext::sh -c evil"}, "repo 'ext::sh -c evil'"),
        ({"commit": "abc"}, "commit is 'abc'"),
        ({"steps": 0}, "steps is 0"),
        ({"keep": 0}, "keep is 0"),
        ({"path": "relative"}, "path is 'relative'"),
        ({"shared_paths": ["../etc"]}, "shared_paths has '../etc'"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_name(site: Site, options: dict[str, object], message: str) -> None:
    answered = site.module(**{"ref": "master", **options})
    assert answered["failed"]
    assert message in answered["msg"]
    assert "Traceback" not in answered["msg"]


def test_a_remote_that_is_not_there(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    before = site.live
    upstream.url.rename(upstream.url.with_name("away"))
    failure = site.fail(ref="master")
    assert "could not fetch from origin: there is no repository at that address" in failure.text
    assert site.live == before


def test_a_commit_that_no_branch_holds_is_fetched_by_its_sha(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    orphan = upstream.commit("orphan")
    git(upstream.url, "update-ref", "refs/pull/1", orphan)
    upstream.rewind(first)
    git(upstream.url, "config", "uploadpack.allowAnySHA1InWant", "true")
    site.deploy(ref=orphan)
    assert site.version == "orphan"
