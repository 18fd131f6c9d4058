# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The values of `state`: find the commit, decide what has to be done, report it, and outside of check mode do it.

Check mode, diff mode and the real run share one decision (`is_needed`). They differ in where they look: check mode
fetches into a scratch repository, the real run holds the project's lock and fetches into the clone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from . import unit
from .configuration import plan
from .configuration.plan import Plan
from .deploy import recovery
from .deploy.cleanup import clean_up
from .deploy.journal import as_warning, journal
from .errors import ReleaseError, as_failure
from .git.client import Git
from .git.refs import ref_error
from .git.resolve import resolve, scratch_repository
from .model import Current, ProjectPaths, Target
from .options import Options
from .project import Project
from .records import history, lock, state
from .release import current, layout, setup, shared
from .release.setup import require_setup
from .system import children

ACTIVATING = {"deployed": "deploy", "reverted": "revert"}
# How many names of settings the last line shows.
MAX_SETTINGS = 6


@dataclass(frozen=True)
class Choice:
    """What is live and what is to be: both can be looked up in `git`."""

    git: Git
    live: Current
    target: Target
    configuration: Plan = field(default_factory=Plan)


def execute(project: Project, *, check: bool) -> None:
    """Bring the project into the wanted state; with `check` only find out what that takes. The report has the result.

    Raises ReleaseError when it cannot be done.
    """
    try:
        if project.options.state != "present":
            require_setup(project.options.path)
        with _looking(project) if check else locked(project):
            if project.options.state == "present":
                _present(project, check=check)
            else:
                _release(project, check=check)
    except ReleaseError:
        raise
    except Exception as reason:
        raise as_failure(reason) from reason


def is_needed(options: Options, choice: Choice, *, serving: bool, unfinished: bool) -> bool:
    """Return whether there is something to do.

    `serving` is whether procmon serves the live release, `unfinished` whether an interrupted run was undone or waits
    for the next activation.
    """
    live, target = choice.live, choice.target
    is_live = live.commit == target.commit and live.release == target.release.resolve() and serving
    same = is_live and not choice.configuration.changed
    return not same or options.force or unfinished


def _present(project: Project, *, check: bool) -> None:
    """Create the project's directories and its clone. Nothing live changes."""
    report, name = project.report, project.options.name
    if check:
        steps = setup.missing_steps(project)
        report.changed = bool(steps)
        report.msg = f"{name}: " + ("; ".join(map(layout.describe, steps)) or "ready")
        return
    report.changed = setup.ensure_layout(project)
    report.msg = f"{name}: ready" + (" (created)" if report.changed else "")
    report.ref_problem = _ref_problem(project)


def _ref_problem(project: Project) -> str:
    """Return why a deploy would find no commit; nothing where it would. What is pushed by now counts."""
    git, ref = project.git, project.options.ref
    if not ref_error(ref, git.refs()):
        return ""
    git.fetch()
    return ref_error(ref, git.refs())


def _release(project: Project, *, check: bool) -> None:
    """Prepare or activate a release."""
    activating = project.options.state in ACTIVATING
    undone = activating and not check and recovery.recover(project)
    with _journal_failures(project, check=check), _find(project, check=check) as found:
        choice = replace(found, configuration=_plan_configuration(project, found))
        needed = is_needed(
            project.options,
            choice,
            serving=_is_served(project, choice.live),
            unfinished=undone or _is_unfinished(project, looking=check or not activating),
        )
        _report(project, choice, needed=needed)
        if check:
            _preview(project, choice, needed=needed)
        elif needed:
            _carry_out(project, choice)
        else:
            _skip(project, choice)


def _plan_configuration(project: Project, choice: Choice) -> Plan:
    """Plan the configuration.

    A live release counts as changed as well when it was made with other shared_paths, or when its Python is gone.
    """
    made = _plan_travelling(project, choice.live)
    release = choice.target.release
    if choice.live.release != release.resolve():
        return made
    lost = ["environment"] if current.has_lost_its_python(release) else []
    shares = [] if project.in_place else shared.missing_links(project.paths, release, project.options.shared_paths)
    return replace(made, changed=(*made.changed, *(["shared_paths"] if shares else []), *lost))


def _plan_travelling(project: Project, live: Current) -> Plan:
    """Plan what travels with the release. What only setup can change is left out, with a warning that names it."""
    options, paths, procmon = project.options, project.paths, project.procmon
    if options.state not in ACTIVATING:
        return plan.make_plan(paths, live.configuration, None)
    found = plan.wanted(options)
    if found is None:
        plan.require_live(paths, live.configuration)
        return plan.make_plan(paths, live.configuration, None)
    found, waiting = plan.hold_bind(found, procmon.bind())
    if waiting:
        what = f"procmon listens on {procmon.bind()}, {waiting} is configured"
        project.report.warnings.append(f"{options.name}: run setup for: bind ({what})")
    if differing := unit.waiting_paths(options.name, paths.path, options.writable_paths):
        project.report.warnings.append(f"{options.name}: run setup for: writable_paths ({', '.join(differing)})")
    made = plan.make_plan(paths, live.configuration, found)
    reads = procmon.config_file()
    if reads and not _is_ours(paths, reads):
        remedy = "Run setup once: from then on settings travel with each deploy"
        project.report.warnings.append(f"{options.name}: procmon still reads {reads}. {remedy}")
    return made


def _is_ours(paths: ProjectPaths, config_file: str) -> bool:
    return paths.configs.resolve() in Path(config_file).parents


def _is_served(project: Project, live: Current) -> bool:
    """Return whether procmon serves what is live, with the configuration that it has."""
    if live.release is None or not project.procmon.is_serving(live.release, live.commit):
        return False
    reads = project.procmon.config_file()
    if live.configuration is None or reads is None or not _is_ours(project.paths, reads):
        return True
    return Path(reads).parent.name == live.configuration


def _is_unfinished(project: Project, *, looking: bool) -> bool:
    """Return whether an interrupted run waits for the next activation; to a run that only looks it may be under way."""
    if not looking or not project.paths.state.exists():
        return False
    holder = lock.current_holder(project.paths.lock)
    return holder is None or holder.pid == os.getpid()


def _carry_out(project: Project, choice: Choice) -> None:
    # Python compiles all that is loaded in each run: one that has nothing to do loads less.
    from .deploy.activate import activate  # noqa: PLC0415
    from .release import build  # noqa: PLC0415

    report, target, name = project.report, choice.target, project.options.name
    changed = build.prepare(project, target)
    if project.options.state == "prepared":
        report.changed, report.outcome = changed, "prepared"
        report.msg = f"{name}: {target.commit[:12]} is prepared"
        return
    activate(project, target, choice.live, choice.configuration, ACTIVATING[project.options.state])
    report.changed = True
    report.msg = f"{name}: {target.commit[:12]} is live ({_changes(project)})"
    # The revert has succeeded: a failure to describe what is next must not make it a failure.
    with as_warning(project, "the log could not be shown"):
        report.msg += _after_revert(project, choice)


def _after_revert(project: Project, choice: Choice) -> str:
    """Return what to know after a revert: it is itself a line of the log, so another one goes forward again."""
    previous = choice.live.commit
    if project.options.state != "reverted" or previous is None:
        return ""
    log = history.format_log(history.without_repeats(_read_log(project)), choice.target.commit)
    return f"; another revert would return to {previous[:12]}; {log}"


def _read_log(project: Project) -> list[str]:
    """Return the commits of `.deploys` as all messages show them: 12 characters of each that the clone has."""
    cloned = project.paths.source.is_dir() and project.git.is_repository()
    return history.with_one_length(history.read_deploys(project.paths.deploys), project.git.pins() if cloned else [])


def _skip(project: Project, choice: Choice) -> None:
    """Report that there is nothing to do."""
    commit = choice.target.commit
    if choice.live.source_head != commit:
        current.move_source_head(project, commit)
    project.report.msg = f"{project.options.name}: {commit[:12]} is already live"


@contextmanager
def _find(project: Project, *, check: bool) -> Iterator[Choice]:
    """Find the wanted commit: in the log for a revert, otherwise by the ref, fetching what is missing."""
    if project.options.state == "reverted":
        yield _find_logged(project)
        return
    options = project.options
    if not check:
        setup.ensure_layout(project)
        yield _find_ref(project, project.git, "origin")
        return
    with scratch_repository(project.run, project.git, options.repo, options.name) as (git, address):
        yield _find_ref(project, git, address)


def _find_ref(project: Project, git: Git, remote: str) -> Choice:
    live = _read_live(project)
    with project.report.phase("fetch"):
        found = resolve(git, project.options.ref, project.options.commit, remote)
    return Choice(git, live, project.target(found.commit, found.ref))


def _find_logged(project: Project) -> Choice:
    """Choose a commit of the log by `to` or `steps`."""
    options, git = project.options, project.git
    live = _read_live(project)
    lines = _read_log(project)
    line = history.find(lines, options.to) if options.to else history.steps_back(lines, live.commit, options.steps)
    commit = git.rev_parse(line) if project.paths.source.is_dir() and git.is_repository() else None
    if commit is None:
        found = f"{line} is in the deploy log but no longer in the clone"
        raise ReleaseError(found, "deploy another commit by its ref")
    return Choice(git, live, project.target(commit, options.to or line))


def _read_live(project: Project) -> Current:
    live = current.read(project.paths, project.git)
    project.report.previous_commit = live.commit
    return live


def _report(project: Project, choice: Choice, *, needed: bool) -> None:
    """Report what is live and what would be, with the commits between them."""
    report, git, live, target = project.report, choice.git, choice.live, choice.target
    report.commit, report.previous_commit, report.release = target.commit, live.commit, str(target.release)
    if not needed:
        report.subject = git.subject(target.commit)
        return
    report.settings = list(choice.configuration.changed)
    report.setting_differences = list(choice.configuration.differences)
    known = live.commit if live.commit and git.rev_parse(live.commit) else None
    report.commits, report.commit_count = git.commits(target.commit, known), git.count(target.commit, known)
    if known:
        report.dropped, report.dropped_count = git.commits(known, target.commit), git.count(known, target.commit)
    if not report.commits:
        # Going back brings nothing new: what goes live is the old commit itself.
        report.commits = git.commits(target.commit)[:1]
    report.subject = report.commits[0].subject
    report.found()


def _preview(project: Project, choice: Choice, *, needed: bool) -> None:
    """Report what would be done. Raises ReleaseError where the release could certainly not be made."""
    if needed and not project.in_place and not choice.target.release.is_dir():
        in_commit = partial(choice.git.has_file, choice.target.commit)
        shared.require_sources(project.paths, project.options.shared_paths, in_commit)
    _report_preview(project, choice, needed=needed)


def _report_preview(project: Project, choice: Choice, *, needed: bool) -> None:
    report, commit = project.report, choice.target.commit[:12]
    if project.options.state == "prepared":
        report.changed = needed and not project.in_place and not choice.target.release.exists()
        future = "would be prepared" if report.changed else "is prepared"
    else:
        report.changed = needed
        future = f"would go live ({_changes(project)})" if needed else "is already live"
    report.msg = f"{project.options.name}: {commit} {future}"


def _changes(project: Project) -> str:
    """Return how many commits come, and which settings change."""
    settings = project.report.settings
    more = [f"{len(settings) - MAX_SETTINGS} more"] if len(settings) > MAX_SETTINGS else []
    shown = [*settings[:MAX_SETTINGS], *more]
    return _commit_count(project) + (f"; settings: {', '.join(shown)}" if settings else "")


def _commit_count(project: Project) -> str:
    count, dropped = project.report.commit_count, project.report.dropped_count
    new = f"{count or 'no new'} commit{'' if count == 1 else 's'}"
    return f"{new}, {dropped} dropped" if dropped else new


@contextmanager
def _looking(project: Project) -> Iterator[None]:
    """Look without the lock: another run may be under way."""
    # The state file of a run that holds the lock is not an interrupted one.
    if lock.current_holder(project.paths.lock) is None:
        recovery.warn_interrupted(project)
    yield


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's lock, with what a killed run has left removed."""
    options = project.options
    if not options.path.is_dir() and not options.repo:
        raise ReleaseError(f"{options.path} does not exist and the option repo is not set", "run setup, or set repo")
    options.path.mkdir(parents=True, exist_ok=True)
    acquired = lock.acquire(project.paths.lock, options.by, _lock_purpose(options), options.lock_wait)
    with acquired as descriptor, children.kill_children_on_death(descriptor):
        clean_up(project)
        project.report.progress.open(project.paths.progress)
        if options.state not in ACTIVATING:
            # Recovery is for the next activation.
            recovery.warn_interrupted(project)
        yield


def _lock_purpose(options: Options) -> str:
    """Return what others see who find the lock taken."""
    if options.state == "reverted":
        return f"revert to {options.to[:12]}" if options.to else f"revert {options.steps}"
    words = {"present": "setup", "prepared": "prepare", "deployed": "deploy"}
    return (
        f"{words[options.state]} {options.ref}" if options.ref and options.state != "present" else words[options.state]
    )


@contextmanager
def _journal_failures(project: Project, *, check: bool) -> Iterator[None]:
    """Journal what fails before the activation begins, which journals itself."""
    action = None if check else ACTIVATING.get(project.options.state)
    try:
        yield
    except Exception as reason:
        if action and project.report.outcome == "unchanged":
            _journal_failure(project, action, as_failure(reason))
        raise


def _journal_failure(project: Project, action: str, failure: ReleaseError) -> None:
    options, found = project.options, project.report
    ref = options.to or options.ref or ""
    target = Target(found.commit, Path(found.release or ""), ref) if found.commit else None
    before = current.read(project.paths, project.git)
    journal(project, state.new_attempt(options, action, before, target), "failed", failure.msg)
