# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..git import locks as git_locks
from ..model import Tree
from ..project import Project
from ..release import disk
from ..release import relink as adopt

# What `durable.write_synced`, `disk.point_current` and `disk.keep_way_back` write before it is renamed.
HALF_WRITTEN = (".deploy.state.new", ".current.new", ".current.back")


def tidy(project: Project) -> None:
    """Remove what a run that died has left and would be in the way of any git; the lock must be held."""
    tree = project.tree
    for directory in (tree.source / ".git", *tree.submodules.glob("*")):
        for name in git_locks.remove_stale(directory, tree.path):
            project.report.warnings.append(f"removed {name}, which a git that died had left in {directory}")
    for name in HALF_WRITTEN:
        (tree.path / name).unlink(missing_ok=True)
    for entry in project.wanted.shared_paths:
        disk.finish_move(tree, entry)
    # The directory is there only while a release is being made.
    if tree.unfinished.exists():
        _remove_unfinished(project)
    adopt.adopt_live(project)


def _remove_unfinished(project: Project) -> None:
    # git writes down real paths, whatever way leads to the project.
    tree = Tree(project.tree.path.resolve())
    disk.remove_leftovers(tree.unfinished)
    known = {path: adopt.record_of(path) for path in (tree.releases / name for name in disk.release_ages(tree))}
    needed = {path: record for path, record in known.items() if record}
    for record in lost_records(tree.source / ".git/worktrees", tree.releases, needed.values()):
        disk.remove_leftovers(record)
    if needed:
        project.git.repair_worktrees(needed)


def lost_records(records: Path, releases: Path, needed: Iterable[Path]) -> list[Path]:
    """List what git knows of worktrees below `releases` that are no more; `needed` are the records of those that are.

    Its own `worktree prune` stumbles over one that was being made, or takes it for locked.
    """
    kept = set(needed)
    found = sorted(records.iterdir()) if records.is_dir() else []
    return [record for record in found if record not in kept and _is_lost(record, releases)]


def _is_lost(record: Path, releases: Path) -> bool:
    said = record / "gitdir"
    place = said.read_text(encoding="utf-8").strip() if said.exists() else ""
    return not place or (releases in Path(place).parents and not Path(place).exists())
