# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Restoring the previous release after a failed activation, and the message that names what is live now."""

from __future__ import annotations

from pathlib import Path

from ..configuration import store
from ..environment import build as environments
from ..errors import ReleaseError, as_failure
from ..git import checkout
from ..model import Current, Target
from ..project import Project
from ..release import build
from ..system import links, signals
from .activation import Activation
from .journal import journal


def restore(activation: Activation, failure: ReleaseError) -> ReleaseError:
    """Restore the release that was live, journal the attempt, and return the error: what failed, and what is live."""
    project, before = activation.project, activation.before
    try:
        with project.report.phase("put back"):
            recreate_previous(project, before)
            restore_files(project, before)
            with signals.interruptible():
                hook_failure = _restart_previous(activation)
    except Exception as worse:
        project.report.changed = True
        outcome = "broken"
        second = f"Restoring {describe_commit(before.commit)} failed too: {as_failure(worse)}"
        now = f"{second}. Live now: {_describe_current(project)}. The next deploy or revert restores it first"
    else:
        outcome, now = "put_back", _rollback_message(project, before) + hook_failure
    journal(project, activation.attempt, outcome, failure.msg)
    return ReleaseError(str(failure), detail=failure.detail, now=now)


def recreate_previous(project: Project, before: Current) -> None:
    """Build the previous release again, should it have been removed.

    Raises ReleaseError when it is not one of ours, since `current` must not point at nothing.
    """
    release = project.paths.path / before.link if before.link else None
    if release is None or release.is_dir() or before.commit is None:
        return
    if release != project.paths.release(before.commit):
        remedy = f"restore that directory, or remove {project.paths.state} to go on from what is live"
        raise ReleaseError(f"{release} is missing", remedy)
    build.prepare(project, Target(before.commit, release, before.commit))


def restore_files(project: Project, before: Current) -> None:
    """Restore `current` with its configuration, and with the strategy `in_place` the files of `source`."""
    paths = project.paths
    if project.in_place and before.source_head:
        project.git.hard_reset(before.source_head)
        checkout.reset_submodules(project.git)
    links.restore(paths.current, before.link)
    store.restore(paths, paths.path / before.link if before.link else None, before.configuration)


def describe_commit(commit: str | None) -> str:
    """Return a commit as messages show it."""
    return commit[:12] if commit else "nothing"


def _restart_previous(activation: Activation) -> str:
    """Make the previous release serve again. Return what to add to the message when its post_deploy fails.

    What post_deploy started for the failed release, such as a worker of the app's own, it has to restart for this one.
    """
    project, before = activation.project, activation.before
    if before.release is None or not before.release.is_dir():
        return ""
    if project.in_place:
        _restore_environment(project, before, before.release)
    reload_from = project.procmon.before_restore()
    hook_failure = ""
    try:
        _post_deploy_again(activation)
    except Exception as failure:
        if reload_from is None:
            raise
        hook_failure = f"; there {as_failure(failure)}"
    if reload_from:
        project.procmon.reload(project.paths.current.resolve(), reload_from)
    return hook_failure


def _restore_environment(project: Project, before: Current, release: Path) -> None:
    """Link the environment that the release had, in place; only one that is gone is built, from today's settings."""
    kept = release / before.environment if before.environment else None
    if kept and kept.is_dir():
        environments.link(release, kept)
    else:
        build.provide_environment(project, release)


def _post_deploy_again(activation: Activation) -> None:
    before = activation.before
    if before.release and "post_deploy" in activation.started_hooks:
        activation.hook("post_deploy", before.release, restoring=True)


def _rollback_message(project: Project, before: Current) -> str:
    if before.commit:
        return f"{describe_commit(before.commit)} was restored and is live"
    served = project.procmon.served_release()
    link = f"current points at {before.link} again" if before.link else "current was removed"
    still = f"; procmon still serves {served}" if served else ""
    return f"Nothing was live before, so there is nothing to restore: {link}{still}"


def _describe_current(project: Project) -> str:
    """Describe what is live, whatever was meant to be."""
    link = project.paths.current
    points = f"current -> {link.readlink()}" if link.is_symlink() else "there is no current"
    return "; ".join(filter(None, [points, project.procmon.describe()]))
