# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import re
import time
from pathlib import Path

# What a deploy makes git take in the clone itself.
NAMES = ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock")
# No git of ours works on one file for so long, and no two of ours work at a time: whoever took it is dead.
OLD = 600.0
PROC_STAT = Path("/proc/stat")


def is_stale(taken: float, now: float, booted: float) -> bool:
    """Say whether a lock file taken at `taken` was left by a dead process. All in seconds since the epoch."""
    return taken < booted or now - taken > OLD


def booted_at(stat: str) -> float:
    """Read from the text of /proc/stat when this machine started; 0 where it does not say."""
    found = re.search(r"^btime (\d+)$", stat, re.MULTILINE)
    return float(found[1]) if found else 0.0


def remove_stale(directory: Path) -> list[str]:
    """Remove lock files that a crash left in a git directory; return their names."""
    booted = booted_at(PROC_STAT.read_text(encoding="ascii")) if PROC_STAT.exists() else 0.0
    locks = [directory / name for name in NAMES if (directory / name).exists()]
    stale = [lock for lock in locks if is_stale(lock.stat().st_mtime, time.time(), booted)]
    for lock in stale:
        lock.unlink()
    return [lock.name for lock in stale]
