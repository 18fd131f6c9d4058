# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..git.client import Git
from ..model import ReleaseError, Target
from ..project import Project
from ..records import history as log
from . import bytecode, disk, plan

PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Spare:
    """A release to make another out of, and the tracked paths that differ from what the other has."""

    release: Path
    changed: set[str]


def reuse(project: Project, target: Target, making: Path) -> bool:
    """Make a release at `making` out of one that would be pruned; return whether that was done.

    It costs what differs between the two, where a checkout costs the whole repository.
    """
    spare = _spare(project, target)
    if spare is None:
        return False
    spare.release.rename(making)
    try:
        turn(project.git.at(making), target.commit, spare.changed)
    except (ReleaseError, OSError):
        # A hook may have left anything there. A fresh checkout needs none of it, and names a trouble that is real.
        disk.remove_leftovers(making)
        project.git.prune_worktrees()
        return False
    return True


def is_telling(paths: Iterable[str]) -> bool:
    """Say whether files with the same content in both commits may have to be written anew."""
    return any(PurePosixPath(path).name in {".gitattributes", ".gitmodules"} for path in paths)


def in_use(directory: Path, processes: Path = PROCESSES) -> bool:
    """Say whether a process that we may look at works in `directory` or below."""
    return any(_stands_in(directory, process) for process in processes.glob("[0-9]*/cwd"))


def _spare(project: Project, target: Target) -> Spare | None:
    """Find a release that will not be needed once the target is live, and that nobody works in any more."""
    tree = project.tree
    ages = {**disk.release_ages(tree), target.release.name: float("inf")}
    lines = [*log.read_deploys(tree.deploys), target.commit]
    needed = {target.release.name, *project.untouchable()}
    for name in plan.to_prune(ages, lines, project.wanted.keep, needed):
        with suppress(ReleaseError):
            spare = look_at(project.git.at(tree.releases / name), target.commit)
            if spare:
                return spare
    return None


def look_at(git: Git, commit: str) -> Spare | None:
    """Say what it takes to make a release that of `commit`; None when git could be wrong about it, or it is in use."""
    if in_use(git.directory.resolve()) or (git.directory / ".gitmodules").exists() or not git.is_plain_index():
        return None
    changed = git.different_from(commit)
    return None if is_telling(changed) else Spare(git.directory, changed)


def turn(git: Git, commit: str, changed: set[str]) -> None:
    """Make every file what it is in `commit`, and remove what is not in it; byte code stays where it is valid."""
    # First, because attributes that nobody tracks would count for the checkout; last, for what is tracked no more.
    removed = _sweep(git)
    git.check_out(commit)
    bytecode.forget(git.directory, {*changed, *removed, *_sweep(git)})


def _sweep(git: Git) -> list[str]:
    """Remove all that is not tracked but byte code; return the paths."""
    strangers = [path for path in git.untracked() if PurePosixPath(path).name != bytecode.CACHE]
    for path in strangers:
        disk.remove(git.directory / path)
    return strangers


def _stands_in(directory: Path, cwd: Path) -> bool:
    # Gone meanwhile, or another user's.
    with suppress(OSError):
        place = cwd.readlink()
        return place == directory or directory in place.parents
    return False
