# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strategy in_place: the clone itself is what is live, as with the original script."""

from __future__ import annotations

from pathlib import Path

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


def test_the_clone_is_reset_and_live(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    assert site.paths.current.resolve() == site.paths.source
    upstream.commit("two")
    site.deploy(strategy="in_place")
    assert site.version == "two"
    assert not site.deploy(strategy="in_place").changed
    assert site.consistent()


def test_there_are_no_old_releases_to_warn_of(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert site.deploy(strategy="in_place").warnings == []


def test_a_failure_resets_back(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    site.fail(ref="master", strategy="in_place", test="false")
    assert site.version == "one"
    assert site.consistent()


def test_shared_paths_are_left_as_they_are(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    (site.paths.source / "public/system").mkdir(parents=True)
    upstream.commit("two")
    site.deploy(strategy="in_place")
    assert not (site.paths.source / "public/system").is_symlink()


def test_the_pre_hook_runs_in_the_old_code(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    site.deploy(strategy="in_place", pre_deploy=f"cat VERSION > {tmp_path}/seen")
    assert (tmp_path / "seen").read_text() == "one\n"


def test_both_strategies_take_turns(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.deploy(strategy="in_place")
    upstream.commit("three")
    site.deploy()
    assert site.version == "three"
    site.revert(strategy="in_place")
    assert (site.version, site.paths.current.resolve()) == ("two", site.paths.source)
    site.fail(state="reverted", test="false")
    assert (site.version, site.paths.current.resolve()) == ("two", site.paths.source)
    assert site.consistent()
