# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a project's directories and its clone."""

from __future__ import annotations

import os

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


def test_present_makes_the_tree_and_nothing_live(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert site.run(state="present").changed
    made = {path.name for path in site.path.iterdir() if path.is_dir()}
    assert made == {"source", "releases", "shared", "envs"}
    assert not os.path.lexists(site.paths.current)
    assert not site.run(state="present").changed


def test_the_time_of_a_clone_is_reported_once(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    phases = [[phase["name"] for phase in site.run(state="present").phases] for _ in range(2)]
    assert phases == [["clone"], []]


def test_another_repo_replaces_the_clones_address(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.run(state="present")
    moved = upstream.url.rename(upstream.url.with_name("moved.git"))
    assert site.run(state="present", repo=str(moved)).changed
    assert git(site.paths.source, "remote", "get-url", "origin") == str(moved)
    assert not site.run(state="present", repo=str(moved)).changed


@pytest.mark.parametrize("state", ["present", "prepared", "deployed"])
def test_a_repo_that_is_not_there_does_not_replace_the_clones_address(
    site: Site, upstream: Upstream, state: str
) -> None:
    upstream.commit("one")
    site.run(state="present")
    failure = site.fail(state=state, ref="master", repo=f"{upstream.url}x")
    assert f"could not fetch from {upstream.url}x: there is no repository at that address" in failure.text
    assert git(site.paths.source, "remote", "get-url", "origin") == str(upstream.url)


def test_without_a_clone_the_repo_is_needed(site: Site) -> None:
    site.path.mkdir()
    assert "the option repo is not set" in site.fail(state="present", repo="").text
    assert list(site.path.iterdir()) == [site.paths.lock]


def test_without_a_tree_and_a_repo_nothing_is_made(site: Site) -> None:
    assert "the option repo is not set" in site.fail(repo="", ref="master").text
    assert not site.path.exists()


def test_a_clone_that_was_killed_half_way_does_not_look_like_one(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    (site.path / ".source.new/objects").mkdir(parents=True)
    site.run(state="present")
    assert git(site.paths.source, "remote", "get-url", "origin") == str(upstream.url)
    assert not (site.path / ".source.new").exists()


def test_what_belongs_to_another_user_is_reported(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.run(state="present")
    for path in (site.paths.source, site.paths.source / ".git"):
        os.chown(path, 65534, 65534)
    assert "because another user owns it" in site.fail(ref="master").text


def test_a_ref_that_a_deploy_would_not_find_is_reported(site: Site, upstream: Upstream) -> None:
    """And no longer once it is there: the clone is brought up to date first."""
    upstream.commit("one")
    lacks = (
        "no ref was given and the repository has no tag. Set ref, such as origin/master, or tag a commit and push it"
    )
    assert site.run(state="present").ref_problem == lacks.replace("push it", "push the tag")
    assert site.info()["ref_problem"] == site.run(state="present").ref_problem
    assert "ref 'v9' is unknown" in site.run(state="present", ref="v9").ref_problem
    git(upstream.work, "tag", "v9")
    git(upstream.work, "push", "--quiet", "--tags")
    for ref in ("v9", None):
        report = site.run(state="present", ref=ref)
        assert "ref_problem" not in report.facts()
        assert not report.changed
