# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import procmon as answer
from .. import restart_file
from ..git import checkout as contents
from ..model import (
    Live,
    ReleaseError,
    Target,
    as_failure,
)
from ..project import Project
from ..records import history as log
from ..records import state as attempt
from ..records.state import Attempt
from ..release import build as prepare
from ..release import disk
from ..system import files as durable
from ..system import signals
from . import hooks


@dataclass(frozen=True)
class Transaction:
    """One release on its way to being live, with all that is needed to take it back."""

    project: Project
    target: Target
    before: Live
    attempt: Attempt


def activate(project: Project, target: Target, before: Live, action: str) -> None:
    """Make a prepared release live, prove it, and log it; or put back what was live.

    Raises ReleaseError that says why it failed and what is live now.
    """
    _preflight(project)
    transaction = Transaction(project, target, before, _begin(project, target, before, action))
    with signals.shielded():
        attempt.write(project.tree.state, transaction.attempt)
        _before_switch(transaction)
        _switch_and_prove(transaction)
        _finish(transaction)


def journal(project: Project, tried: Attempt, outcome: str, error: str = "") -> None:
    """Write the attempt's line, and end it. What cannot be written is a warning: the deploy itself is decided."""
    project.report.outcome = outcome
    with _as_warning(project, "the journal is incomplete"):
        log.append_entry(project.tree.journal, tried.entry(outcome, project.report.phases, error))
    if outcome == "broken":
        # What is live was never proven: the next run finds the state, and puts it right.
        return
    with _as_warning(project, "the state of this run was not removed"):
        project.tree.state.unlink(missing_ok=True)


def switch_back(project: Project, before: Live) -> None:
    """Make `current`, and in place the files of `source`, what they were before."""
    if project.in_place and before.source_head:
        project.git.hard_reset(before.source_head)
        contents.put_back(project.git)
    disk.point_back(project.tree, before.link)


def mark_live(project: Project, commit: str) -> None:
    """Let the HEAD of the clone tell the truth; its files stay as they are."""
    if not project.in_place:
        project.git.soft_reset(commit)


def _preflight(project: Project) -> None:
    if project.wanted.status_file:
        answer.running(project.wanted.status_file, project.wanted.name)


def _begin(project: Project, target: Target, before: Live, action: str) -> Attempt:
    return Attempt(
        started=attempt.now(),
        by=project.wanted.by,
        action=action,
        strategy=project.wanted.strategy,
        ref=target.ref,
        commit=target.commit,
        release=str(target.release),
        link=before.link,
        previous=before.commit,
        source_head=before.source_head,
        lines=len(log.read_deploys(project.tree.deploys)),
        id=attempt.new_id(),
    )


def _before_switch(transaction: Transaction) -> None:
    project, target = transaction.project, transaction.target
    try:
        with signals.stoppable():
            _hook(transaction, "pre_deploy", project.wanted.pre_deploy, target.release)
    except (ReleaseError, OSError) as reason:
        failure = as_failure(reason)
        journal(project, transaction.attempt, "failed", failure.msg)
        still = _name(transaction.before.commit)
        raise ReleaseError(f"{failure}. Nothing was changed: {still} is live", detail=failure.detail) from reason


def _switch_and_prove(transaction: Transaction) -> None:
    try:
        _switch(transaction)
        # A git or a line of the log that is stopped half way is worse than one that ends a moment later.
        with signals.stoppable():
            _prove(transaction)
        _log_commit(transaction)
    except (ReleaseError, OSError) as reason:
        raise _put_back(transaction, as_failure(reason)) from reason


def _switch(transaction: Transaction) -> None:
    project, target = transaction.project, transaction.target
    with project.report.phase("switch"):
        disk.keep_way_back(project.tree, transaction.before.link)
        if project.in_place:
            project.git.hard_reset(target.commit)
        # After a power loss `current` must not point at files that never reached the disk.
        durable.sync_file_systems(project.run, project.tree.path, target.release)
        disk.point_current(project.tree, disk.link_text(project.tree, target.release))
    if project.in_place:
        prepare.provide_environment(project, target.release)


def _prove(transaction: Transaction) -> None:
    """Run the post hook, have procmon reload and answer, run the test hook."""
    project, target, wanted = transaction.project, transaction.target, transaction.project.wanted
    asked = _asking(project)
    touched = restart_file.mtime_ns(project.restart_file)
    _hook(transaction, "post_deploy", wanted.post_deploy, target.release)
    if project.in_place:
        # Not before: with the script of old it is the hook that fetches what the checkout leaves out.
        contents.check(project.git)
    if asked:
        with project.report.phase("reload"):
            by_hook = _touched_by_hook(project, touched, asked.stamp)
            _await(project, asked, by_hook or restart_file.touch(project.restart_file, asked.stamp))
    _hook(transaction, "test", wanted.test, target.release)


def _touched_by_hook(project: Project, before: int | None, answered: int | None) -> int | None:
    """Return the time of the hook's own touch, as hooks of the original make one: it is the one to be answered."""
    stamp = restart_file.mtime_ns(project.restart_file)
    # A hook that runs as root may have created the file.
    restart_file.give_to_owner(project.restart_file)
    # A file system that keeps whole seconds may give two touches the same time.
    return None if stamp in {before, answered} else stamp


def _asking(project: Project) -> answer.Status | None:
    status_file = project.wanted.status_file
    return answer.running(status_file, project.wanted.name) if status_file else None


def _await(project: Project, asked: answer.Status, stamp: int) -> None:
    question = answer.Question(stamp, project.tree.current.resolve(), asked)
    if project.wanted.status_file:
        answer.wait(project.wanted.status_file, question, project.wanted.reload_timeout)


def _log_commit(transaction: Transaction) -> None:
    project = transaction.project
    log.append_commit(project.tree.deploys, project.git.short(transaction.target.commit))


def _finish(transaction: Transaction) -> None:
    """Tidy up after success: from here on nothing can fail the deploy."""
    project, target, before = transaction.project, transaction.target, transaction.before
    with _as_warning(project, "the HEAD of source was not moved"):
        mark_live(project, target.commit)
    with _as_warning(project, "the link back was not removed"):
        disk.forget_way_back(project.tree)
    journal(project, transaction.attempt, "live")
    with project.report.phase("prune"), _as_warning(project, "old releases were not all removed"):
        prepare.prune(project, {path.name for path in (target.release, before.release) if path})


def _put_back(transaction: Transaction, failure: ReleaseError) -> ReleaseError:
    """Make live what was live before, and return the error that tells the whole story."""
    project, before = transaction.project, transaction.before
    try:
        with project.report.phase("put back"):
            switch_back(project, before)
            with signals.stoppable():
                _revive(transaction)
    except (ReleaseError, OSError) as worse:
        project.report.changed = True
        failed_too = f"Putting back {_name(before.commit)} failed too: {as_failure(worse)}"
        outcome, now = "broken", f"{failed_too}. Now {_found(project)}"
    else:
        outcome, now = "put_back", _live_again(project, before)
    journal(project, transaction.attempt, outcome, failure.msg)
    return ReleaseError(f"{failure}. {now}", detail=failure.detail)


def _revive(transaction: Transaction) -> None:
    """Have the previous release serve again: by procmon, or by the hook where there is no procmon."""
    project, before = transaction.project, transaction.before
    if before.release is None or not before.release.is_dir():
        return
    if project.in_place:
        prepare.provide_environment(project, before.release)
    asked = project.wanted.status_file and answer.read_status(project.wanted.status_file)
    if asked:
        _await(project, asked, restart_file.touch(project.restart_file, asked.stamp))
    elif not project.wanted.status_file:
        _hook(transaction, "post_deploy", project.wanted.post_deploy, before.release)


def _live_again(project: Project, before: Live) -> str:
    if before.link:
        return f"{_name(before.commit)} was put back and is live"
    status = project.wanted.status_file and answer.read_status(project.wanted.status_file)
    left = f"; procmon still serves {status.release}" if status and status.state == "serving" else ""
    return f"Nothing was live before, so there is nothing to put back: current was removed{left}"


def _found(project: Project) -> str:
    """Say what is live, whatever it was meant to be."""
    current, status_file = project.tree.current, project.wanted.status_file
    leads = f"current -> {current.readlink()}" if current.is_symlink() else "there is no current"
    return f"{leads}; {answer.describe(status_file)}" if status_file else leads


def _hook(transaction: Transaction, name: str, command: str | None, release: Path) -> None:
    project = transaction.project
    if command:
        with project.report.phase(name):
            hook = hooks.Hook(name, command, project.wanted.hook_timeout)
            hooks.run_hook(hook, release, _told(transaction), project.tree.hook_log)


def _told(transaction: Transaction) -> dict[str, str]:
    project, target = transaction.project, transaction.target
    return {
        "SHARED": str(project.tree.shared),
        "DEPLOY_PROJECT": project.wanted.name,
        "DEPLOY_COMMIT": target.commit,
        "DEPLOY_PREVIOUS": transaction.before.commit or "",
        "DEPLOY_REF": target.ref,
        "DEPLOY_PATH": str(project.tree.path),
        "DEPLOY_RELEASE": str(target.release),
    }


def _name(commit: str | None) -> str:
    return commit[:12] if commit else "nothing"


@contextmanager
def _as_warning(project: Project, what: str) -> Iterator[None]:
    try:
        yield
    except (ReleaseError, OSError) as reason:
        project.report.warnings.append(f"{what}: {as_failure(reason)}")
