# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small file systems of a test's own. Mounting them needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import until

MOUNT = shutil.which("mount") or "mount"
UMOUNT = shutil.which("umount") or "umount"
MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") or "mkfs.ext4"


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    """Mount at `place`, with the arguments of mount(8) that come before it."""
    assert os.geteuid() == 0, "these tests mount small file systems: run them as root"
    place.mkdir(exist_ok=True)
    subprocess.run([MOUNT, *arguments, str(place)], check=True)
    try:
        yield place
    finally:
        when_free(UMOUNT, str(place))


def make_ext4(image: Path, size: int, *arguments: str) -> None:
    """Make a file system in a file, with further arguments of mkfs.ext4(8)."""
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run([MKFS, "-q", "-F", *arguments, str(image)], check=True)


def when_free(*argv: str) -> None:
    """Run mount(8) or umount(8); while the file system is busy, try again.

    The guard of a run that was killed keeps the lock file open until all that the run has started is gone.
    """
    try:
        until(lambda: _succeeds(argv), " ".join(argv))
    except AssertionError as failure:
        raise AssertionError(f"{failure}; open in the processes {holders(Path(argv[-1]))}") from failure


def holders(place: Path) -> list[str]:
    """List the processes that have a directory or a file at or below `place` open."""
    links = [*Path("/proc").glob("[0-9]*/cwd"), *Path("/proc").glob("[0-9]*/fd/*")]
    return sorted({link.parts[2] for link in links if _is_below(link, place)}, key=int)


def _succeeds(argv: tuple[str, ...]) -> bool:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    assert done.returncode == 0 or "busy" in done.stderr, done.stderr
    return done.returncode == 0


def _is_below(link: Path, place: Path) -> bool:
    try:
        return link.readlink().is_relative_to(place)
    except OSError:
        # The process has ended, or has closed the file.
        return False
