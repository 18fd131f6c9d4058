# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""git's records of worktrees, which stay behind when a worktree is removed or its clone is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

GITDIR = "gitdir: "


def record_of(release: Path) -> Path | None:
    """Return the directory of git's record of a worktree, as named in its file .git; None when it is missing."""
    link = release / ".git"
    text = os.fsdecode(link.read_bytes()).rstrip("\n") if link.is_file() else ""
    record = release / text[len(GITDIR) :] if text.startswith(GITDIR) else None
    return record if record and record.is_dir() else None


def stale_worktrees(records: Path, releases: Path, needed: Iterable[Path]) -> list[Path]:
    """Return the records of worktrees below `releases` that no longer exist; `needed` are the records to keep.

    `git worktree prune` fails on a worktree that was being created, or takes it for locked.
    """
    kept = set(needed)
    found = sorted(records.iterdir()) if records.is_dir() else []
    return [record for record in found if record not in kept and _is_lost(record, releases)]


def _is_lost(record: Path, releases: Path) -> bool:
    link = record / "gitdir"
    place = os.fsdecode(link.read_bytes()).rstrip("\n") if link.exists() else ""
    return not place or (releases in Path(place).parents and not Path(place).exists())
