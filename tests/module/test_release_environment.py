# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release and its Python environment: found or built before the switch, brought back by a revert."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.module.site import Site
from tests.module.upstream import Upstream


def environment_of(release: Path) -> Path:
    return (release / ".venv").resolve()


@pytest.fixture
def two_live(site: Site, upstream: Upstream) -> Site:
    """Return a site with two releases that ask for different environments."""
    for version in ("one", "two"):
        upstream.commit(version, requirements_txt=f"# {version}")
        site.deploy()
    return site


def test_a_release_links_to_a_complete_environment(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# nothing")
    report = site.run(state="prepared", ref="master")
    assert report.release
    assert report.environment == str(environment_of(Path(report.release)))
    assert (Path(report.environment) / ".complete").exists()
    assert "environment" in {phase["name"] for phase in report.phases}


def test_an_unchanged_environment_is_used_again(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# nothing")
    first = site.deploy().environment
    upstream.commit("two")
    assert site.deploy().environment == first


def test_a_revert_brings_the_old_environment_back(two_live: Site) -> None:
    new = environment_of(two_live.tree.current)
    two_live.revert()
    old = environment_of(two_live.tree.current)
    assert old != new
    assert (old / "bin/python").exists()


def test_an_environment_goes_with_its_last_release(two_live: Site, upstream: Upstream) -> None:
    oldest = {path.name for path in two_live.tree.envs.iterdir()} - {environment_of(two_live.tree.current).name}
    for version in ("three", "four"):
        upstream.commit(version)
        two_live.deploy(keep=1)
    left = {path.name for path in two_live.tree.envs.iterdir()}
    assert environment_of(two_live.tree.current).name in left
    assert not {name for name in oldest if not name.startswith(".")} & left


def test_what_a_process_works_in_goes_after_its_end(two_live: Site, upstream: Upstream) -> None:
    """A worker may drain for longer than the next deploys take."""
    release = two_live.tree.current.resolve()
    used = environment_of(release)
    (upstream.work / "requirements.txt").unlink()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=release, stdin=subprocess.PIPE) as worker:
        for version in ("three", "four", "five"):
            upstream.commit(version)
            two_live.deploy(keep=1)
        assert (release / "VERSION").read_text() == "two\n"
        assert (used / "bin/python").exists()
        worker.communicate(b"\n")
    upstream.commit("six")
    two_live.deploy(keep=1)
    assert not release.exists()
    assert not used.exists()


def test_an_environment_that_was_removed_by_hand_is_built_again(two_live: Site) -> None:
    release = two_live.tree.current.resolve()
    two_live.revert()
    (environment_of(release) / ".complete").unlink()
    two_live.revert()
    assert (environment_of(two_live.tree.current) / ".complete").exists()


def test_what_cannot_be_installed_changes_nothing_live(two_live: Site, upstream: Upstream) -> None:
    upstream.commit("three", requirements_txt="./nowhere")
    failure = two_live.fail(ref="master")
    assert "environment cannot be built" in failure.text
    assert failure.error.detail
    assert two_live.version == "two"
    assert two_live.consistent()


def test_in_place_the_environment_follows_the_reset_and_its_undoing(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# one")
    site.deploy(strategy="in_place")
    first = environment_of(site.tree.source)
    upstream.commit("two", requirements_txt="# two")
    site.fail(ref="master", strategy="in_place", test="false")
    assert environment_of(site.tree.source) == first
    site.deploy(strategy="in_place")
    assert environment_of(site.tree.source) != first
