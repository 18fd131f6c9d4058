# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Stale `*.lock` files: what a git that died leaves in its repository, where it stops every later git."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..system.process import PROC, command_lines

# Locks older than this are stale even when the owner's processes are hidden from us (other user, hidepid).
STALE_SECONDS = 600.0
# A git whose caller was killed continues alone for a moment.
GIT_EXIT_SECONDS = 5.0
POLL_SECONDS = 0.02


def is_stale(taken: float, now: float, booted: float, *, abandoned: bool) -> bool:
    """Return whether a lock file taken at `taken` was left by a dead process. Times in seconds since the epoch."""
    return abandoned or taken < booted or now - taken > STALE_SECONDS


def booted_at(stat: str) -> float:
    """Return the boot time in the text of /proc/stat, in seconds since the epoch; 0 when it is missing."""
    found = re.search(r"^btime (\d+)$", stat, re.MULTILINE)
    return float(found[1]) if found else 0.0


def remove_stale(directory: Path, project: Path) -> list[str]:
    """Remove lock files that a crash left in the git directory of a project; return their names."""
    locks = {lock: lock.stat() for lock in _locks(directory)}
    if not locks:
        return []
    idle = _becomes_idle(project)
    booted = booted_at((PROC / "stat").read_text(encoding="ascii")) if (PROC / "stat").exists() else 0.0
    removed = []
    for lock, was in locks.items():
        abandoned = idle and os.geteuid() in {0, was.st_uid}
        if is_stale(was.st_mtime, time.time(), booted, abandoned=abandoned) and _is_same(lock, was):
            lock.unlink()
            removed.append(lock.name)
    return removed


def works_in(project: Path, argv: Iterable[str], cwd: Path) -> bool:
    """Return whether a process with these arguments and this directory is a git that works in the project.

    Both paths of the project count: the one that was given and the real one, which is what `cwd` shows.
    """
    program, *arguments = [*argv, ""]
    if not Path(program).name.startswith("git"):
        return False
    places = [cwd, *(Path(place) for place in arguments if place.startswith("/"))]
    ways = {project, project.resolve()}
    return any(not ways.isdisjoint({place, *place.parents}) for place in places)


def _locks(directory: Path) -> list[Path]:
    """List the lock files of a git directory, without walking its objects."""
    flat = ("", "objects", "objects/info", "objects/pack")
    deep = ("refs", "worktrees", "modules")
    found = [lock for name in flat for lock in (directory / name).glob("*.lock")]
    return [*found, *(lock for name in deep for lock in (directory / name).rglob("*.lock"))]


def _becomes_idle(project: Path) -> bool:
    """Wait a moment for gits that work in the project to end; return whether none is left."""
    deadline = time.monotonic() + GIT_EXIT_SECONDS
    while any(works_in(project, argv, cwd) for argv, cwd in command_lines()):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return PROC.exists()


def _is_same(lock: Path, was: os.stat_result) -> bool:
    """Return whether a lock file is the same one as before: another git may have taken a new one."""
    with suppress(FileNotFoundError):
        now = lock.stat()
        return (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    return False
