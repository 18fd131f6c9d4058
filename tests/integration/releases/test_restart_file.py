# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restart file: each touch has a time of its own, on every disk, and the file is its directory's owner's.

Small file systems are mounted and files are given away, so these tests want root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import restart_file

from tests.support import mounts
from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream

SECOND = 1_000_000_000
APP = 4711


@pytest.fixture(params=[128, 256])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk with inodes of 128 bytes, which have room for whole seconds only, and a usual one."""
    image = tmp_path / "image"
    mounts.make_ext4(image, 16 << 20, "-I", str(request.param))
    with mounts.mounted(tmp_path / "disk", "-o", "loop", str(image)) as place:
        yield place


@pytest.fixture
def coarse(tmp_path: Path) -> Iterator[Path]:
    """A disk that keeps whole seconds."""
    image = tmp_path / "image"
    mounts.make_ext4(image, 16 << 20, "-I", "128")
    with mounts.mounted(tmp_path / "disk", "-o", "loop", str(image)) as place:
        yield place


def test_each_touch_has_a_new_time(disk: Path) -> None:
    stamps = [restart_file.touch(disk / "restart") for _ in range(5)]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] == (disk / "restart").stat().st_mtime_ns


def test_a_touch_after_the_clock_stepped_back_has_a_new_time(disk: Path) -> None:
    future = restart_file.touch(disk / "restart") + 10**15
    os.utime(disk / "restart", ns=(future, future))
    before = (disk / "restart").stat().st_mtime_ns
    assert restart_file.touch(disk / "restart") > before


def test_a_file_that_was_removed_does_not_get_the_time_that_was_answered_last(coarse: Path) -> None:
    """Within the same second it would."""
    stamps: list[int] = []
    for _ in range(3):
        answered = stamps[-1] if stamps else None
        stamps.append(restart_file.touch(coarse / "restart", answered))
        (coarse / "restart").unlink()
        assert stamps[-1] % SECOND == 0
    assert stamps[0] != stamps[1] != stamps[2]


def test_a_time_that_was_answered_is_not_used_again_after_the_clock_stepped_back(tmp_path: Path) -> None:
    path = tmp_path / "restart"
    path.touch()
    future = path.stat().st_mtime_ns + 10**15
    os.utime(path, ns=(future, future))
    assert restart_file.touch(path, answered=future + restart_file.STEPS_NS[0]) == future + restart_file.STEPS_NS[1]


@pytest.mark.parametrize("hook", [None, "touch public/system/restart"], ids=["by the module", "by the hook"])
@pytest.mark.parametrize("remove", [False, True], ids=["kept", "removed"])
def test_deploys_back_to_back_are_all_answered(
    site: Site, procmon: FakeProcmon, coarse: Path, hook: str | None, *, remove: bool
) -> None:
    """Each of them ends when its own release serves, however little time lies between them."""
    (site.path / "shared/public").mkdir(parents=True)
    (site.path / "shared/public/system").symlink_to(coarse)
    for version in ("one", "two", "three", "four"):
        sha = site.upstream.commit(version)
        site.deploy(status_file=procmon.status_file, post_deploy=hook)
        assert procmon.serves == str(site.paths.release(sha))
        if remove:
            (coarse / "restart").unlink()


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A directory of the app's user."""
    assert os.geteuid() == 0, "these tests give files away: run them as root"
    directory = tmp_path / "owned"
    directory.mkdir()
    os.chown(directory, APP, APP)
    return directory


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_root_creates_the_file_for_the_owner_of_its_directory(owned: Path) -> None:
    path = owned / "public" / "system" / "restart"
    restart_file.touch(path)
    assert [owner(made) for made in (path, path.parent, path.parent.parent)] == [(APP, APP)] * 3


def test_a_file_that_root_left_is_given_back(owned: Path) -> None:
    (owned / "restart").touch()
    restart_file.touch(owned / "restart")
    assert owner(owned / "restart") == (APP, APP)


@pytest.mark.parametrize("kind", ["another user's", "not empty", "a second name", "a link", "a directory"])
def test_nothing_else_is_given_away(owned: Path, tmp_path: Path, kind: str) -> None:
    path, other = owned / "restart", tmp_path / "other"
    other.touch()
    if kind == "another user's":
        path.touch()
        os.chown(path, 4712, 0)
    elif kind == "not empty":
        path.write_text("x")
    elif kind == "a second name":
        path.hardlink_to(other)
    elif kind == "a link":
        path.symlink_to(other)
    else:
        (path / "inside").mkdir(parents=True)
    before = owner(path), owner(other)
    restart_file.touch(path)
    assert (owner(path), owner(other)) == before


@pytest.mark.parametrize("hook", [None, "touch public/system/restart"], ids=["by the module", "by the hook"])
def test_a_deploy_as_root_leaves_a_file_that_the_app_may_touch(
    site: Site, upstream: Upstream, procmon: FakeProcmon, hook: str | None
) -> None:
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    system = site.path / "shared/public/system"
    (system / "restart").unlink()
    os.chown(system, APP, APP)
    upstream.commit("two")
    site.deploy(status_file=procmon.status_file, post_deploy=hook)
    assert owner(system / "restart") == (APP, APP)
