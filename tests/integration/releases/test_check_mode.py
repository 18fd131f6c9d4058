# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode: tells what would happen, and leaves no trace."""

from __future__ import annotations

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


def whole(site: Site) -> dict[str, bytes]:
    """Return all files below the project, git's own too."""
    return {str(path): path.read_bytes() for path in site.path.rglob("*") if path.is_file()}


def test_nothing_is_made_where_there_is_nothing(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("one")
    report = site.check(ref="master")
    assert (report.changed, report.commit) == (True, sha)
    assert not site.path.exists()
    assert site.check(state="present").changed
    assert not site.path.exists()


def test_commits_that_are_not_fetched_yet_are_reported(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    upstream.commit("three")
    before = whole(site)
    report = site.check(ref="origin/master")
    assert [commit.subject for commit in report.commits] == ["three", "two"]
    assert report.diff()["prepared"].splitlines() == [
        f"+ {commit.sha[:12]} {commit.subject}" for commit in report.commits
    ]
    assert "would go live (2 commits)" in report.msg
    assert whole(site) == before


def test_what_is_live_would_not_change(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    report = site.check(ref="master")
    assert (report.changed, report.commits) == (False, [])


def test_a_revert_tells_the_commits_that_go(site: Site, upstream: Upstream) -> None:
    for version in "ab":
        upstream.commit(version)
        site.deploy()
    before = whole(site)
    report = site.check(state="reverted")
    going, coming = report.diff()["prepared"].splitlines()
    assert going.startswith("- ")
    assert going.endswith(" b")
    assert coming.startswith("+ ")
    assert coming.endswith(" a")
    assert whole(site) == before


def test_prepare_would_change_only_what_is_not_prepared(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert site.check(state="prepared", ref="master").changed
    site.run(state="prepared", ref="master")
    assert not site.check(state="prepared", ref="master").changed


def test_an_unknown_ref_is_reported_as_well(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    answered = site.module(ref="nope", _ansible_check_mode=True)
    assert answered["failed"]
    assert "ref 'nope' is unknown" in answered["msg"]
    assert not site.path.exists()
