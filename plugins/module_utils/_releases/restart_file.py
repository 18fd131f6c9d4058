# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""The file whose touch asks procmon to reload.

A touch is identified by the file's time of modification, which procmon repeats in its answer. So each touch needs a
time of its own, also where the clock steps back and where the file system keeps whole seconds. The deploys' user and
the hooks touch the same file: it belongs to the owner of its directory, also where root creates it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Most file systems keep nanoseconds, ext4 with small inodes whole seconds, FAT every second one.
STEPS_NS = (1_000_000, 1_000_000_000, 2_000_000_000, 4_000_000_000)


def mtime_ns(restart_file: Path) -> int | None:
    """Return when the restart file was touched last, None when it is not there."""
    try:
        return restart_file.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def touch(restart_file: Path, answered: int | None = None) -> int:
    """Touch the restart file and return its new time: later than before, and not the one that was `answered` last."""
    before = mtime_ns(restart_file)
    _make_directory(restart_file.parent)
    restart_file.touch()
    give_to_owner(restart_file)
    stamp = restart_file.stat().st_mtime_ns
    start = stamp if before is None else max(stamp, before)
    for step in STEPS_NS:
        if _is_new(stamp, before, answered):
            break
        os.utime(restart_file, ns=(start + step, start + step))
        stamp = restart_file.stat().st_mtime_ns
    return stamp


def give_to_owner(path: Path) -> None:
    """Where root has created the restart file or its directory, give it to the owner of the directory that it is in.

    Anything else, such as a link, or a file or a directory with something in it, stays as it is.
    """
    if os.geteuid() != 0:
        return
    with suppress(OSError), _opened(path.parent) as directory, _opened(Path(path.name), directory) as created:
        owner = os.fstat(directory)
        if _is_fresh(created):
            os.fchown(created, owner.st_uid, owner.st_gid)


def _is_new(stamp: int, before: int | None, answered: int | None) -> bool:
    return (before is None or stamp > before) and stamp != answered


def _make_directory(path: Path) -> None:
    """Create what is missing of a directory."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        give_to_owner(path)


def _is_fresh(descriptor: int) -> bool:
    """Return whether this is root's, has nothing in it and no other name: nothing is lost when it is given away."""
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        return found.st_uid == 0 and not os.listdir(descriptor)
    return found.st_uid == 0 and stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size == 0


@contextmanager
def _opened(path: Path, directory: int | None = None) -> Iterator[int]:
    """Open what has this very name: a name that changes later changes nothing."""
    # A FIFO must not block.
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_DIRECTORY if directory is None else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
