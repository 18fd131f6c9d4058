# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from pathlib import Path

from ..project import Project
from . import disk

GITDIR = "gitdir: "


def record_of(release: Path) -> Path | None:
    """Return where git keeps what it knows of a worktree, as its file .git says; None when that is no more."""
    said = release / ".git"
    text = said.read_text(encoding="utf-8", errors="replace").strip() if said.is_file() else ""
    record = Path(text[len(GITDIR) :]) if text.startswith(GITDIR) else None
    return record if record and record.is_dir() else None


def adopt_live(project: Project) -> None:
    """Let a clone that was made anew know the live release: which commit it is would be forgotten else.

    No file of the release is touched. Other releases that the clone does not know are made again when they are needed.
    """
    tree, git = project.tree, project.git
    release = tree.current.resolve()
    if not _is_unknown(project, release):
        return
    commit = git.full(release.name)
    if commit is None:
        return
    making = tree.unfinished / release.name
    tree.unfinished.mkdir(exist_ok=True)
    git.add_worktree(making, commit, files=False)
    (making / ".git").replace(release / ".git")
    git.repair_worktrees([release])
    git.at(release).read_index()
    disk.remove_leftovers(tree.unfinished)


def _is_unknown(project: Project, release: Path) -> bool:
    tree = project.tree
    is_release = release.parent == tree.releases.resolve() and disk.RELEASE_NAME.fullmatch(release.name)
    return bool(is_release) and release.is_dir() and record_of(release) is None and (tree.source / ".git").is_dir()
