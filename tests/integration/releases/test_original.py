# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking turns on one project with the original script, whose steps are done here by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


class Original:
    """What the script does on the server, step by step."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.paths = site.paths

    def setup(self) -> None:
        for name in ("shared/logs", "shared/pids"):
            (self.paths.path / name).mkdir(parents=True)
        git(self.paths.path, "clone", "--quiet", str(self.site.upstream.url), "source")
        self._link()

    def deploy(self, ref: str = "origin/master") -> None:
        git(self.paths.source, "fetch", "--quiet", "--all")
        git(self.paths.source, "reset", "--quiet", "--hard", ref)
        self._link()
        with self.paths.deploys.open("a") as log:
            log.write(git(self.paths.source, "rev-parse", "--short", "HEAD") + "\n")

    def revert(self, steps: int = 1) -> None:
        self.deploy(self.paths.deploys.read_text().splitlines()[-1 - steps].split(" ")[0])

    def current(self) -> str:
        return git(self.paths.source, "rev-parse", "--short", "HEAD")

    def _link(self) -> None:
        # ln -sfn removes the old link first, unlike our rename.
        self.paths.current.unlink(missing_ok=True)
        self.paths.current.symlink_to(self.paths.source)


@pytest.fixture
def original(site: Site, upstream: Upstream) -> Original:
    upstream.commit("one")
    script = Original(site)
    script.setup()
    script.deploy()
    return script


def test_its_clone_is_taken_over_and_nothing_live_moves(site: Site, original: Original) -> None:
    before = original.paths.current.readlink()
    assert site.run(state="present").changed
    assert original.paths.current.readlink() == before
    assert not site.run(state="present").changed


def test_both_take_turns(site: Site, original: Original, upstream: Upstream) -> None:
    upstream.commit("two")
    site.deploy(ref="origin/master")
    assert (site.version, original.current()) == ("two", site.logged[-1])
    upstream.commit("three")
    original.deploy()
    assert site.version == "three"
    site.revert()
    assert site.version == "two"
    original.revert(2)
    assert site.version == "two"
    original.revert(4)
    assert site.version == "one"
    site.revert(steps=2)
    assert site.version == "three"
    assert site.consistent()


def test_a_failed_deploy_puts_its_release_back(site: Site, original: Original, upstream: Upstream) -> None:
    before = original.paths.current.readlink()
    upstream.commit("two")
    site.fail(ref="origin/master", test="false")
    assert original.paths.current.readlink() == before
    assert site.version == "one"
    assert len(site.logged) == 1


def test_uploads_below_source_are_the_same_files_for_both(site: Site, original: Original, upstream: Upstream) -> None:
    uploads = original.paths.source / "public/system"
    uploads.mkdir(parents=True)
    (uploads / "photo").write_text("cat")
    site.deploy(ref="origin/master")
    assert (site.paths.current / "public/system/photo").read_text() == "cat"
    upstream.commit("two")
    original.deploy()
    (site.paths.current / "public/system/late").write_text("dog")
    site.deploy(ref="origin/master")
    assert (site.paths.current / "public/system/late").read_text() == "dog"


def test_its_commits_survive_a_force_push_once_we_have_run(site: Site, original: Original, upstream: Upstream) -> None:
    first = upstream.head()
    upstream.commit("lost")
    original.deploy()
    upstream.rewind(first)
    upstream.commit("two")
    site.deploy(ref="origin/master")
    git(site.paths.source, "reflog", "expire", "--expire=now", "--all")
    git(site.paths.source, "gc", "--quiet", "--prune=now")
    site.revert()
    assert site.version == "lost"


def test_a_log_with_more_columns_and_foreign_line_ends_is_read(site: Site, original: Original) -> None:
    line = original.paths.deploys.read_text().strip()
    original.paths.deploys.write_text(f"{line} tj 2016-08-28\r\n\r\nnot a commit\n{line}")
    site.deploy(ref="origin/master")
    assert original.paths.deploys.read_text().splitlines()[-2:] == [line, line]


def test_a_directory_that_is_no_clone_is_left_alone(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    (site.paths.source / "precious").mkdir(parents=True)
    assert "is not a git clone" in site.fail(state="present").text
    assert Path(site.paths.source / "precious").is_dir()
