# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing new costs nothing: a deploy of what is live writes nothing at all."""

from __future__ import annotations

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


def everything(site: Site) -> dict[str, tuple[int, int]]:
    """Each path below the project, git's own too, with its inode and times; but the lock, which says who holds it."""
    found = {path: path.lstat() for path in [site.path, *site.path.rglob("*")] if path != site.paths.lock}
    return {str(path): (status.st_ino, max(status.st_mtime_ns, status.st_ctime_ns)) for path, status in found.items()}


@pytest.mark.parametrize("ref", ["master", "{sha}"])
def test_a_deploy_of_what_is_live_writes_nothing(site: Site, upstream: Upstream, ref: str) -> None:
    sha = upstream.commit("one", app_py="x = 1")
    upstream.tag("v1", annotated=True)
    site.deploy()
    before = everything(site)
    assert not site.deploy(ref=ref.format(sha=sha)).changed
    assert everything(site) == before


def test_a_full_sha_that_is_there_needs_no_remote(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    upstream.commit("two")
    site.deploy()
    upstream.url.rename(upstream.url.with_name("away"))
    site.deploy(ref=first)
    assert site.version == "one"


def test_the_remote_is_asked_once(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    asked = site.path.parent / "asked"
    script = site.path.parent / "upload-pack"
    script.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexec git-upload-pack "$@"\n')
    script.chmod(0o755)
    git(site.paths.source, "config", "remote.origin.uploadpack", str(script))
    site.deploy()
    assert site.version == "two"
    assert len(asked.read_text().splitlines()) == 1


def test_preparing_what_is_live_says_so_and_writes_nothing(site: Site, upstream: Upstream) -> None:
    """A rollout need not go on to a server that has nothing to do."""
    upstream.commit("one", app_py="x = 1")
    site.deploy()
    before = everything(site)
    report = site.run(state="prepared", ref="master")
    assert (report.changed, report.outcome) == (False, "unchanged")
    assert "is already live" in report.msg
    assert everything(site) == before


def test_preparing_again_by_force_leaves_it_to_be_deployed(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    assert site.run(state="prepared", ref="master", force=True).outcome == "prepared"
