# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from . import procmon as answer
from .deploy import recovery as recover
from .deploy.activate import activate, journal, mark_live
from .deploy.cleanup import tidy
from .git.client import Git
from .git.resolve import resolve, throw_away
from .model import (
    Live,
    ReleaseError,
    Target,
    Wanted,
    as_failure,
)
from .project import Project
from .records import history as log
from .records import lock
from .records import state as attempt
from .release import build as prepare
from .release import disk, plan
from .system import children as guard


def execute(project: Project, *, check: bool) -> None:
    """Do what is wanted, or with `check` only find out what would be done. The project's report tells.

    Raises ReleaseError when it cannot be done.
    """
    try:
        # While somebody holds the lock, theirs is simply under way.
        if check and lock.current_holder(project.tree.lock) is None:
            recover.mention(project)
        (PREVIEWS if check else OPERATIONS)[project.wanted.state](project)
    except OSError as reason:
        raise as_failure(reason) from reason


def present(project: Project) -> None:
    """Make the project's directories and its clone. Nothing live changes."""
    with _locked(project):
        recover.mention(project)
        project.report.changed = prepare.lay_out(project)
    project.report.msg = f"{project.wanted.name}: ready" + (" (made)" if project.report.changed else "")


def prepared(project: Project) -> None:
    """Make the wanted release whole, without making it live."""
    with _locked(project):
        recover.mention(project)
        live, target = _find(project)
        # What an interrupted run left is for the next activation to put right, also where the commit is live.
        if _left_alone(project, live, target, anyway=project.tree.state.exists()):
            return
        _tell(project, project.git, live, target)
        project.report.changed = prepare.prepare(project, target)
    project.report.outcome = "prepared"
    project.report.msg = f"{project.wanted.name}: {target.commit[:12]} is prepared"


def deployed(project: Project) -> None:
    """Make the wanted release live."""
    with _locked(project):
        undone = recover.recover(project)
        with _failures_noted(project, "deploy"):
            live, target = _find(project)
            _make_live(project, live, target, "deploy", anyway=undone)


def reverted(project: Project) -> None:
    """Make a release of the log live again, without asking the remote."""
    with _locked(project):
        undone = recover.recover(project)
        with _failures_noted(project, "revert"):
            live, target = _find_logged(project)
            _make_live(project, live, target, "revert", anyway=undone)
            _explain_direction(project, live)


def preview_present(project: Project) -> None:
    """Say what would be made."""
    steps = plan.lay_out(disk.read_layout(project.wanted, project.git), project.wanted)
    project.report.changed = bool(steps)
    project.report.msg = f"{project.wanted.name}: " + ("; ".join(map(plan.describe, steps)) or "ready")


def preview_deploy(project: Project) -> None:
    """Say which commits would go live; what has to be fetched for that is thrown away."""
    with throw_away(project) as (git, address):
        with project.report.phase("fetch"):
            found = resolve(project.wanted, git, address)
        live = project.live()
        target = project.target(found.commit, found.ref)
        _tell(project, git, live, target)
    _promise(project, live, target)


def preview_prepare(project: Project) -> None:
    """Say which commits would be made ready to go live."""
    preview_deploy(project)
    commit = project.report.commit or ""
    project.report.changed = not project.in_place and not project.tree.release(commit).exists()


def preview_revert(project: Project) -> None:
    """Say which release of the log would be live again."""
    live, target = _find_logged(project)
    _tell(project, project.git, live, target)
    _promise(project, live, target)
    _explain_direction(project, live)


OPERATIONS: Mapping[str, Callable[[Project], None]] = {
    "present": present,
    "prepared": prepared,
    "deployed": deployed,
    "reverted": reverted,
}
PREVIEWS: Mapping[str, Callable[[Project], None]] = {
    "present": preview_present,
    "prepared": preview_prepare,
    "deployed": preview_deploy,
    "reverted": preview_revert,
}


def _find(project: Project) -> tuple[Live, Target]:
    """Lay out what is missing, and resolve the wanted ref."""
    prepare.lay_out(project)
    live = project.live()
    project.report.previous_commit = live.commit
    with project.report.phase("fetch"):
        found = resolve(project.wanted, project.git)
    return live, project.target(found.commit, found.ref)


def _find_logged(project: Project) -> tuple[Live, Target]:
    """Choose a commit of the log by `to` or `steps`."""
    wanted, git = project.wanted, project.git
    live = project.live()
    project.report.previous_commit = live.commit
    cloned = project.tree.source.is_dir() and git.is_repository()
    lines = log.with_one_length(log.read_deploys(project.tree.deploys), git.pins() if cloned else ())
    line = plan.logged(lines, wanted.to) if wanted.to else plan.steps_back(lines, live.commit, wanted.steps)
    commit = git.full(line) if cloned else None
    if commit is None:
        raise ReleaseError(f"{line} is in the log, but the clone has it no more", "deploy another commit by its ref")
    return live, project.target(commit, wanted.to or line)


def _explain_direction(project: Project, before: Live) -> None:
    """Add to the message of a revert by steps that it goes forward, as it does after another revert."""
    report, git = project.report, project.git
    known = before.commit is not None and git.full(before.commit) is not None
    if report.changed and known and not report.dropped and not project.wanted.to:
        lines = log.with_one_length(log.read_deploys(project.tree.deploys), git.pins())
        report.msg += f"\n{plan.forward_notice(lines, project.live().commit)}"


def _make_live(project: Project, live: Live, target: Target, action: str, *, anyway: bool) -> None:
    report, name = project.report, project.wanted.name
    if _left_alone(project, live, target, anyway=anyway):
        return
    _tell(project, project.git, live, target)
    prepare.prepare(project, target)
    activate(project, target, live, action)
    report.changed = True
    report.msg = f"{name}: {target.commit[:12]} is live ({_counted(project)})"


def _left_alone(project: Project, live: Live, target: Target, *, anyway: bool) -> bool:
    """Say whether there is nothing to do, because the commit is live; if so, report it."""
    if anyway or project.wanted.force or not _is_live(project, live, target):
        return False
    _tell_ends(project, live, target)
    if live.source_head != target.commit:
        mark_live(project, target.commit)
    project.report.msg = f"{project.wanted.name}: {target.commit[:12]} is already live"
    return True


def _is_live(project: Project, live: Live, target: Target) -> bool:
    """Say whether this very release is what `current` means, and what procmon serves where there is one."""
    if live.commit != target.commit or live.release != target.release.resolve():
        return False
    status_file = project.wanted.status_file
    return status_file is None or answer.serves(status_file, live.release)


def _tell_ends(project: Project, live: Live, target: Target) -> None:
    report = project.report
    report.commit, report.previous_commit, report.release = target.commit, live.commit, str(target.release)


def _tell(project: Project, git: Git, live: Live, target: Target) -> None:
    """Report what is live and what would be, with the commits between them."""
    report = project.report
    _tell_ends(project, live, target)
    if live.commit is None or git.full(live.commit) is None:
        report.commits = git.commits(target.commit)
        return
    report.dropped = git.commits(live.commit, target.commit)
    # Going back brings nothing new: what goes live is the old commit itself.
    report.commits = git.commits(target.commit, live.commit) or git.commits(target.commit)[:1]


def _promise(project: Project, live: Live, target: Target) -> None:
    report, name = project.report, project.wanted.name
    report.changed = project.wanted.force or not _is_live(project, live, target)
    if not report.changed:
        report.commits = []
    would = f"would go live ({_counted(project)})" if report.changed else "is already live"
    report.msg = f"{name}: {target.commit[:12]} {would}"


def _counted(project: Project) -> str:
    count, dropped = len(project.report.commits), len(project.report.dropped)
    new = f"{count} commit{'' if count == 1 else 's'}"
    return f"{new}, {dropped} dropped" if dropped else new


@contextmanager
def _locked(project: Project) -> Iterator[None]:
    wanted = project.wanted
    if not wanted.path.is_dir() and not wanted.repo:
        raise ReleaseError(f"there is nothing at {wanted.path} and the option repo is not set", "give repo")
    wanted.path.mkdir(parents=True, exist_ok=True)
    took = lock.held(project.tree.lock, wanted.by, _doing(wanted), wanted.lock_wait)
    with took as descriptor, guard.on_duty(descriptor):
        tidy(project)
        yield


def _doing(wanted: Wanted) -> str:
    """Say to those who find the lock taken what is under way."""
    if wanted.state == "reverted":
        back = f"{wanted.steps} step{'' if wanted.steps == 1 else 's'}"
        return f"reverted to {wanted.to[:12]}" if wanted.to else f"reverted {back}"
    return wanted.state if wanted.state == "present" or not wanted.ref else f"{wanted.state} {wanted.ref}"


@contextmanager
def _failures_noted(project: Project, action: str) -> Iterator[None]:
    """Journal what fails before anything live was tried; an activation journals itself."""
    started = attempt.now()
    try:
        yield
    except (ReleaseError, OSError) as reason:
        if project.report.outcome == "unchanged":
            live = project.live()
            wanted, found = project.wanted, project.report
            tried = attempt.Attempt(
                started=started,
                by=wanted.by,
                action=action,
                strategy=wanted.strategy,
                ref=wanted.to or wanted.ref or "",
                commit=found.commit or "",
                release=found.release or "",
                link=live.link,
                previous=live.commit,
                source_head=live.source_head,
                lines=0,
                id=attempt.new_id(),
            )
            journal(project, tried, "failed", as_failure(reason).msg)
        raise
