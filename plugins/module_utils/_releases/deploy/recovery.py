# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import procmon as answer
from .. import restart_file
from ..model import ReleaseError, Target
from ..project import Project
from ..records import history as log
from ..records import state as attempt
from ..records.state import Attempt
from ..release import build as prepare
from ..release import disk
from . import activate as transaction


def recover(project: Project) -> bool:
    """Put right what an interrupted run left, while holding the lock. Returns whether something was undone.

    What was live before is live again afterwards, unless the run had succeeded and only not said so.
    """
    tree = project.tree
    found = attempt.read(tree.state)
    if found is None:
        return False
    if attempt.is_over(found, log.read_journal(tree.journal)):
        tree.state.unlink()
        return False
    link = str(tree.current.readlink()) if tree.current.is_symlink() else None
    remedy = attempt.remedy(found, link, disk.link_text(tree, Path(found.release)), log.read_deploys(tree.deploys))
    # What is wanted today may be another strategy.
    as_then = replace(project, wanted=replace(project.wanted, strategy=found.strategy))
    error = _apply(as_then, found, remedy, moved=project.live().commit != found.previous)
    project.report.warnings.append(f"the run of {found.by} at {found.started} was interrupted: {error}")
    transaction.journal(project, found, "recovered" if remedy == attempt.FINISH else "interrupted", error)
    project.report.outcome = "unchanged"
    return remedy == attempt.UNDO


def mention(project: Project) -> None:
    """Say what an interrupted run left, for those who leave it to the next activation to put right."""
    found = attempt.read(project.tree.state)
    if found and not attempt.is_over(found, log.read_journal(project.tree.journal)):
        told = f"the run of {found.by} at {found.started} was interrupted at {found.commit[:12]}"
        project.report.warnings.append(f"{told}; the next deploy or revert puts it right")


def _apply(project: Project, found: Attempt, remedy: str, *, moved: bool) -> str:
    commit = found.commit[:12]
    if remedy == attempt.FINISH:
        transaction.mark_live(project, found.commit)
        return f"{commit} had been proven and is live"
    if remedy == attempt.LEAVE:
        return f"{commit} is not live: somebody else has deployed since"
    _provide(project, found)
    transaction.switch_back(project, found.live_before())
    _reload(project)
    return f"{commit} had not been proven; {_now(found.previous, moved=moved)}"


def _provide(project: Project, found: Attempt) -> None:
    """Make the release that was live before anew, should somebody have removed it.

    Raises ReleaseError when it is none of ours, for `current` must not point at nothing.
    """
    release = project.tree.path / found.link if found.link else None
    if release is None or release.is_dir():
        return
    if found.previous is None or release != project.tree.release(found.previous):
        raise ReleaseError(
            f"the interrupted run of {found.by} cannot be undone: {release} is gone",
            f"bring it back, or remove {project.tree.state} to go on from what is live",
        )
    prepare.prepare(project, Target(found.previous, release, found.previous))


def _now(previous: str | None, *, moved: bool) -> str:
    if previous is None:
        return "nothing was live before, current was removed" if moved else "nothing is live"
    return f"{previous[:12]} {'was put back' if moved else 'is still live'}"


def _reload(project: Project) -> None:
    """Have a procmon that serves something else reload; nobody waits, the activation that follows will."""
    status_file = project.wanted.status_file
    status = answer.read_status(status_file) if status_file else None
    release = project.tree.current.resolve()
    if status_file and status and release.is_dir() and not answer.serves(status_file, release):
        restart_file.touch(project.restart_file, status.stamp)
