# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories whose hashes are SHA-256."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.releases.invariants import assert_agreement, torn
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

FULL = 64


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """A repository with SHA-256, in place of the usual one."""
    return Upstream.make(tmp_path, "sha256")


def test_check_mode_deploy_and_revert(site: Site, upstream: Upstream) -> None:
    """Before there is a clone, with one, by a full sha, by a short one, and as two servers of a project do it."""
    first = upstream.commit("one")
    assert len(first) == FULL
    assert site.check(ref="master").commit == first
    site.run(state="prepared", ref="master")
    assert site.deploy(ref="master", commit=first).commit == first
    second = upstream.commit("two")
    assert site.check(ref="master").commits[0].sha == second
    assert site.deploy(ref=second).commit == second
    assert not site.module(ref=second)["changed"]
    third = upstream.commit("three")
    assert site.deploy(ref=third[:10]).commit == third
    assert site.revert(to=first).commit == first
    assert site.revert().commit == third
    assert torn(site.paths.current.resolve()) == []
    assert_agreement(site)


def test_the_full_shas_of_another_tool_are_read(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    site.deploy()
    site.paths.deploys.write_text(f"{first}\n")
    upstream.commit("two")
    site.deploy()
    assert site.revert().commit == first


def test_submodules(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    library = Upstream.make(tmp_path / "lib", "sha256")
    library.commit("lib one", app_py="x = 1")
    upstream.commit("one")
    git(upstream.work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.url), "lib")
    upstream.commit("with lib")
    site.deploy()
    assert (site.paths.current / "lib/app.py").read_text() == "x = 1\n"


def test_a_repository_that_was_converted(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    """The clone of before cannot hold its commits. It says so, and what it advises helps."""
    (tmp_path / "old").mkdir()
    old = Upstream.make(tmp_path / "old")
    old.commit("old")
    site.deploy(repo=str(old.url))
    upstream.commit("new")
    answered = site.module(ref="master")
    assert f"the clone at {site.paths.source} has hashes of another kind than the repository" in answered["msg"]
    assert site.version == "old"
    site.paths.source.rename(tmp_path / "away")
    assert site.module(ref="master")["changed"]
    assert site.version == "new"
