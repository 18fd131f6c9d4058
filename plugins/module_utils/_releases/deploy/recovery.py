# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What the next run does after a run that was killed: finish it, undo it, or leave it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import ReleaseError
from ..project import Project
from ..records import history, state
from ..records.state import Attempt, Recovery
from ..release import current
from .journal import journal


def recover(project: Project) -> bool:
    """Recover from an interrupted run, while holding the lock. Return whether something was undone.

    What was live before is live again afterwards, unless the run had already succeeded.
    """
    attempt = _interrupted(project)
    if attempt is None:
        return False
    recovery = _choose(project, attempt)
    # Undo with the interrupted run's strategy, which may differ from today's.
    original = replace(project, options=replace(project.options, strategy=attempt.strategy))
    moved = current.read(project.paths, project.git).commit != attempt.previous
    outcome = _carry_out(original, attempt, recovery, moved=moved)
    project.report.warnings.append(f"{_name(project, attempt)}: {outcome}")
    journal(project, attempt, "recovered" if recovery is Recovery.FINISH else "interrupted", outcome)
    # The outcome of that run is not the outcome of this one.
    project.report.outcome = "unchanged"
    return recovery is Recovery.UNDO


def warn_interrupted(project: Project) -> None:
    """Warn about an interrupted run where the next activation is to recover from it."""
    attempt = state.read(project.paths.state)
    if attempt and not state.is_finished(attempt, history.read_journal(project.paths.journal)):
        found = f"{_name(project, attempt)} ({attempt.commit[:12]})"
        project.report.warnings.append(f"{found}; the next deploy or revert recovers from it")


def _name(project: Project, attempt: Attempt) -> str:
    """Return which run is meant, and how it ended."""
    is_broken = state.is_broken(attempt, history.read_journal(project.paths.journal))
    end = "failed and could not restore the previous release" if is_broken else "was interrupted"
    return f"the run of {attempt.by} at {attempt.started} {end}"


def _interrupted(project: Project) -> Attempt | None:
    """Return the attempt that was interrupted; the state file of a finished one is removed."""
    attempt = state.read(project.paths.state)
    if attempt and state.is_finished(attempt, history.read_journal(project.paths.journal)):
        project.paths.state.unlink()
        return None
    return attempt


def _choose(project: Project, attempt: Attempt) -> Recovery:
    paths = project.paths
    link = str(paths.current.readlink()) if paths.current.is_symlink() else None
    link_of_release = current.link_text(paths, Path(attempt.release))
    return state.choose_recovery(attempt, link, link_of_release, history.read_deploys(paths.deploys))


def _carry_out(project: Project, attempt: Attempt, recovery: Recovery, *, moved: bool) -> str:
    """Carry out the recovery, and return its outcome in words."""
    commit = attempt.commit[:12]
    if recovery is Recovery.FINISH:
        current.move_source_head(project, attempt.commit)
        return f"{commit} had been verified and is live"
    if recovery is Recovery.LEAVE:
        return f"{commit} is not live: there has been another deploy since"
    from . import rollback  # noqa: PLC0415  few runs need it, and it takes time to load

    _recreate_previous(project, attempt)
    rollback.restore_files(project, attempt.live_before())
    # Without waiting: the activation that follows waits.
    project.procmon.request_reload(project.paths.current.resolve())
    return f"{commit} had not been verified; {_outcome_text(attempt.previous, moved=moved)}"


def _recreate_previous(project: Project, attempt: Attempt) -> None:
    from . import rollback  # noqa: PLC0415  as above

    try:
        rollback.recreate_previous(project, attempt.live_before())
    except ReleaseError as failure:
        found = f"the interrupted run of {attempt.by} cannot be undone: {failure.msg}"
        raise ReleaseError(found, failure.hint, failure.detail) from failure


def _outcome_text(previous: str | None, *, moved: bool) -> str:
    if previous is None:
        return "nothing was live before, current was removed" if moved else "nothing is live"
    return f"{previous[:12]} {'was restored' if moved else 'is still live'}"
