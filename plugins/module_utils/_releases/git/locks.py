# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

# Whoever took a lock that nobody seems to hold, and whose owner's processes we may not see, had this long.
OLD = 600.0
# A git whose caller was killed goes on alone for a moment.
PATIENCE = 5.0
POLL = 0.02
PROC = Path("/proc")


def is_stale(taken: float, now: float, booted: float, *, abandoned: bool) -> bool:
    """Say whether a lock file taken at `taken` was left by a dead process. Times in seconds since the epoch."""
    return abandoned or taken < booted or now - taken > OLD


def booted_at(stat: str) -> float:
    """Read from the text of /proc/stat when this machine started; 0 where it does not say."""
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


def works_in(project: Path, argv: Iterable[str], cwd: str) -> bool:
    """Say whether a process with these arguments and this directory is a git that works in the project.

    Both ways to the project count, the one that was given and the real one, which is all that a `cwd` tells.
    """
    program, *arguments = [*argv, ""]
    if not Path(program).name.startswith("git"):
        return False
    places = [Path(place) for place in (cwd, *arguments) if place.startswith("/")]
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
    deadline = time.monotonic() + PATIENCE
    while any(works_in(project, argv, cwd) for argv, cwd in _processes()):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return PROC.exists()


def _processes() -> Iterator[tuple[list[str], str]]:
    for process in PROC.glob("[0-9]*"):
        # Gone meanwhile, or another user's.
        with suppress(OSError):
            argv = (process / "cmdline").read_bytes().decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
            yield argv, str((process / "cwd").readlink())


def _is_same(lock: Path, was: os.stat_result) -> bool:
    """Say whether a lock file is the very one seen before: somebody may have taken it anew."""
    with suppress(FileNotFoundError):
        now = lock.stat()
        return (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    return False
