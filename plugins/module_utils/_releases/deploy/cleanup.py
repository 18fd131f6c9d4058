# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Removing what a run that died has left in the way: lock files of git, temporary files, half-made releases."""

from __future__ import annotations

from ..git import locks, worktrees
from ..model import ProjectPaths
from ..project import Project
from ..release import prune, setup
from ..system import files

# What `files.write_synced` and `links` write before it is renamed.
TEMPORARY_FILES = (
    ".deploy.state.new",
    *(f".{name}.{suffix}" for name in ("current", "procmon.toml", "procmon.env") for suffix in ("new", "back")),
)


def clean_up(project: Project) -> None:
    """Remove what a run that died left in the way of git and of this run; the lock must be held."""
    paths = project.paths
    for directory in (paths.source / ".git", *paths.submodules.glob("*")):
        for name in locks.remove_stale(directory, paths.path):
            project.report.warnings.append(f"removed {name}, which a git that died had left in {directory}")
    for name in TEMPORARY_FILES:
        (paths.path / name).unlink(missing_ok=True)
    for entry in project.options.shared_paths:
        setup.finish_move(paths, entry)
    # The directory exists only while a release is being built.
    if paths.unfinished.exists():
        _remove_unfinished(project)
    setup.relink_live_worktree(project)


def _remove_unfinished(project: Project) -> None:
    # git records real paths, however the project was reached.
    paths = ProjectPaths(project.paths.path.resolve())
    prune.discard_unfinished(paths)
    prune.empty_discarded(project)
    releases = [paths.releases / name for name in prune.release_ages(paths)]
    records = {path: worktrees.record_of(path) for path in releases}
    needed = {path: record for path, record in records.items() if record}
    for record in worktrees.stale_worktrees(paths.source / ".git/worktrees", paths.releases, needed.values()):
        files.remove_tree(record)
    if needed:
        project.git.repair_worktrees(needed)
