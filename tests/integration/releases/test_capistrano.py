# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree that Capistrano or ansistrano has made, which a first deploy takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

RELEASES = ("20260101120000", "20260102120000")
SHARED = ("public/uploads", "config/secrets.env")


@pytest.fixture
def tree(site: Site, upstream: Upstream) -> Site:
    """Return a project with releases of theirs, a mirror, and shared files; its link is absolute, as theirs is."""
    upstream.commit("theirs")
    for name in RELEASES:
        release = site.path / "releases" / name
        release.mkdir(parents=True)
        git(upstream.work, "--work-tree", str(release), "checkout", "HEAD", "--", ".")
    (site.path / "shared/public/uploads").mkdir(parents=True)
    (site.path / "shared/config").mkdir()
    (site.path / "shared/public/uploads/photo").write_text("cat")
    (site.path / "shared/config/secrets.env").write_text("KEY=value")
    git(site.path, "clone", "--quiet", "--mirror", str(upstream.url), "repo")
    (site.path / "revisions.log").write_text("Branch main deployed\n")
    site.paths.current.symlink_to(site.path / "releases" / RELEASES[-1])
    return site


def theirs(site: Site) -> list[str]:
    """Return the releases of theirs that are there."""
    return sorted(path.name for path in (site.path / "releases").glob("20??????????00"))


def test_it_is_taken_over_with_its_shared_files_and_theirs_stay(tree: Site, upstream: Upstream) -> None:
    """`keep` counts our own releases only."""
    for version in ("one", "two", "three"):
        upstream.commit(version)
        tree.deploy(keep=2, shared_paths=[*SHARED])
        assert tree.version == version
    assert (tree.paths.current / "public/uploads/photo").read_text() == "cat"
    assert (tree.paths.current / "config/secrets.env").read_text() == "KEY=value"
    assert theirs(tree) == [*RELEASES]
    assert len([*tree.paths.releases.glob("[0-9a-f]*")]) == len(RELEASES) + 2
    tree.revert(shared_paths=[*SHARED])
    assert tree.version == "two"


def test_a_first_deploy_that_fails_restores_their_release(tree: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    tree.fail(state="deployed", ref="master", post_deploy="false", shared_paths=[*SHARED])
    assert tree.version == "theirs"
    assert Path(tree.paths.current.readlink()).name == RELEASES[-1]
    assert (tree.path / "shared/public/uploads/photo").read_text() == "cat"
