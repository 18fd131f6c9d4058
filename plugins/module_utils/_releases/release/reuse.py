# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""A release made out of one that would be pruned.

It saves the checkout of a large repository: 50,000 files take 5.8 s instead of 11.3 s (docs/benchmarks.md). Each step
may decline; then a fresh checkout is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ReleaseError
from ..git.client import Git
from ..model import Target
from ..project import Project
from ..records import history
from ..system import files, process
from . import bytecode, current, prune


@dataclass(frozen=True)
class Spare:
    """A release that can be converted to another, and the tracked paths in which the two differ."""

    release: Path
    changed: set[str]


def reuse(project: Project, target: Target, making: Path) -> bool:
    """Make a release at `making` out of one that would be pruned. Return whether that was done.

    It costs as much as the two differ, where a checkout costs as much as the repository is large.
    """
    spare = _spare(project, target)
    if spare is None:
        return False
    try:
        spare.release.rename(making)
        convert(project.git.at(making), target.commit, spare.changed)
    except (ReleaseError, OSError):
        # A hook may have left anything there. A fresh checkout needs none of it, and reports a real failure.
        prune.move_aside(project.paths, making)
        project.git.prune_worktrees()
        return False
    return True


def affects_checkout(paths: Iterable[str]) -> bool:
    """Return whether files with the same content in both commits may have to be checked out again."""
    return any(PurePosixPath(path).name in {".gitattributes", ".gitmodules"} for path in paths)


def _spare(project: Project, target: Target) -> Spare | None:
    """Return a release that will not be needed once the target is live, and that no process works in."""
    paths = project.paths
    ages = {**prune.release_ages(paths), target.release.name: float("inf")}
    lines = [*history.read_deploys(paths.deploys), target.commit]
    needed = {target.release.name, *current.protected(project)}
    for name in prune.to_prune(ages, lines, project.options.keep, needed):
        with suppress(ReleaseError):
            spare = inspect_candidate(project.git.at(paths.releases / name), target.commit)
            if spare:
                return spare
    return None


def inspect_candidate(git: Git, commit: str) -> Spare | None:
    """Return what it takes to convert a release to `commit`; None when git could be wrong about it, or it is in use."""
    if (
        process.in_use(git.directory.resolve())
        or (git.directory / ".gitmodules").exists()
        or not git.has_no_hidden_changes()
    ):
        return None
    changed = git.changed_paths(commit)
    return None if affects_checkout(changed) else Spare(git.directory, changed)


def convert(git: Git, commit: str, changed: set[str]) -> None:
    """Check out `commit` in place of another one, and remove what is not part of it; valid byte code stays."""
    # Before the checkout (an untracked .gitattributes would affect it) and after it (files no longer tracked).
    removed = _clean(git)
    git.check_out(commit)
    bytecode.forget(git.directory, {*changed, *removed, *_clean(git)})


def _clean(git: Git) -> list[str]:
    """Remove everything untracked except byte code; return the paths."""
    untracked = [path for path in git.untracked() if PurePosixPath(path).name != bytecode.CACHE]
    for path in untracked:
        files.remove_path(git.directory / path)
    return untracked
