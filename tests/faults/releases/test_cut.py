# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power goes in the middle of a deploy: what is live after the next start is whole, and the next deploy goes well.

A file system in a file keeps unsynced data in memory. A copy of that file is what a cut leaves. Some places
where the power goes; all of them with TORTURE=all (`make torture`). Small file systems are mounted, so these tests want
root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.files import sync_directory

from tests.support import mounts
from tests.support.releases.invariants import assert_agreement, torn
from tests.support.releases.site import Site
from tests.support.releases.tracer import Point, Tracer
from tests.support.releases.upstream import Upstream

SLEEP = shutil.which("sleep") or "sleep"
SIZE = 32 << 20


@dataclass(frozen=True)
class Case:
    """A deploy with so many versions before it; the power goes right before the calls that match."""

    strategy: str
    versions: int
    cuts: tuple[str, ...]

    def chosen(self, points: list[Point]) -> list[Point]:
        """Each of the cuts is at one point at least."""
        if os.environ.get("TORTURE") == "all":
            return points
        found = {cut: [point for point in points if re.search(cut, point.what)] for cut in self.cuts}
        return [matching[0] for matching in found.values()]


FETCHED = r'mkdir\w*\(.*/releases/\.new"'
MADE = r'openat\(.*/\.deploy\.state\.new"'
SWITCHED = r'rename\w*\(.*/\.current\.new", '
PROVEN = r"write\(.*/\.deploys>"
CASES = {
    "first": Case("releases", 0, (FETCHED,)),
    "second": Case("releases", 1, (FETCHED, MADE, SWITCHED, PROVEN)),
    "in_place": Case("in_place", 1, (MADE, SWITCHED)),
}


class Disk:
    """A file system in a file, which can be mounted at `place`, as it is or as a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.image, self.place = folder, folder / "disk", folder / "mounted"
        mounts.make_ext4(self.image, SIZE)

    def mounted(self, image: Path) -> AbstractContextManager[Path]:
        # The kernel's own commits, every few seconds, must not fall into a copy.
        return mounts.mounted(self.place, "-o", "loop,commit=300", str(image))

    def copied(self, image: Path, name: str) -> Path:
        """Copy what has reached an image so far, into a new file: the old one may still be some device's."""
        (self.folder / name).unlink(missing_ok=True)
        return Path(shutil.copy(image, self.folder / name))

    def sync_as_other_user(self) -> None:
        """Flush all names to disk, as any other program may; what is in the files stays in memory."""
        (self.place / "stranger").touch()
        sync_directory(self.place)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_has_a_name_is_whole(tmp_path: Path, upstream: Upstream, case: Case) -> None:
    disk = Disk(tmp_path)
    site = Site(disk.place / "blog", upstream)
    with disk.mounted(disk.image):
        for version in range(case.versions):
            upstream.commit(f"v{version}", app_py=f"x = {version}")
            site.deploy(strategy=case.strategy)
    upstream.commit("new", app_py="x = 'new'")
    options = site.options(ref="master", strategy=case.strategy, post_deploy="true")
    tracer = Tracer(tmp_path / "trace", site.path)
    with disk.mounted(disk.copied(disk.image, "probe")):
        points = tracer.module_points(options)
    for point in case.chosen(points):
        running = disk.copied(disk.image, "running")
        with disk.mounted(running):
            tracer.kill(point, options)
            disk.sync_as_other_user()
            cut = disk.copied(running, "cut")
        with disk.mounted(cut):
            check(site, case, point)


def test_a_disk_is_unmounted_when_the_last_process_has_left_it(tmp_path: Path) -> None:
    """A run that was killed leaves its guard, which keeps the lock file open a moment longer."""
    disk = Disk(tmp_path)
    with disk.mounted(disk.image):
        process = subprocess.Popen([SLEEP, "1"], cwd=disk.place)
        assert mounts.holders(disk.place) == [str(process.pid)]
    assert not disk.place.is_mount()
    process.wait()


def check(site: Site, case: Case, point: Point) -> None:
    """What is live after the next start, and after the next deploy."""
    if site.paths.current.is_symlink():
        assert torn(site.paths.current.resolve()) == [], point
    answered = site.module(ref="master", strategy=case.strategy)
    assert not answered.get("failed"), (point, answered["msg"])
    assert site.version == "new"
    assert torn(site.paths.current.resolve()) == [], point
    assert_agreement(site)
