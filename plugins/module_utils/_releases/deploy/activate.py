# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The spine of a deploy: the documented order (docs/deploy.md) in one function."""

from __future__ import annotations

from ..configuration import store
from ..configuration.plan import Plan
from ..errors import ReleaseError, as_failure
from ..git import checkout
from ..model import Current, Target
from ..project import Project
from ..records import history, state
from ..release import build, current, prune
from ..system import caller, files, links, signals
from . import rollback
from .activation import Activation, begin
from .journal import as_warning, journal


def activate(project: Project, target: Target, before: Current, configuration: Plan, action: str) -> None:
    """Make a prepared release live with its configuration, verify it and log it; on any failure restore what was live.

    The order is the contract of docs/deploy.md. The process may be killed before and after each line.
    Raises ReleaseError that names the failure and what is live now.
    """
    project.procmon.require_running()
    activation = begin(project, target, before, configuration, action)
    with signals.uninterruptible():
        state.write(project.paths.state, activation.attempt)
        try:
            # No hook of a deploy that was interrupted while it was prepared.
            caller.require_present()
            with signals.interruptible():
                activation.hook("pre_deploy", target.release)
                _stage_configuration(activation)
            caller.require_present()
        except Exception as failure:
            raise _unchanged(activation, as_failure(failure)) from failure
        try:
            _switch(activation)
            with signals.interruptible():
                reload_from = project.procmon.before_reload()
                activation.hook("post_deploy", target.release)
                _verify_checkout(project)
                if reload_from:
                    with project.report.phase("reload") as phase:
                        project.procmon.reload(project.paths.current.resolve(), reload_from)
                        phase.update(_workers_ready(project))
                activation.hook("test", target.release)
            current.require(project.paths, target)
            # From here on the deploy has succeeded.
            history.append_commit(project.paths.deploys, project.git.abbreviate(target.commit))
        except Exception as failure:
            raise rollback.restore(activation, as_failure(failure)) from failure
        _finish(activation)


def _workers_ready(project: Project) -> dict[str, str]:
    """Return what procmon reports of its workers after a reload, as the note of that phase."""
    report = project.procmon.report() or {}
    ready = sum(worker.get("state") == "active" for worker in report.get("workers") or [])
    return {"note": f"{ready} worker{'' if ready == 1 else 's'} ready"} if ready else {}


def _unchanged(activation: Activation, failure: ReleaseError) -> ReleaseError:
    """Journal a failure before the switch, and return the error to raise."""
    journal(activation.project, activation.attempt, "failed", failure.msg)
    live = rollback.describe_commit(activation.before.commit)
    return ReleaseError(str(failure), detail=failure.detail, now=f"Nothing was changed: {live} is live")


def _switch(activation: Activation) -> None:
    """Replace `current`, and in place the files; both are on disk when this returns."""
    project, target = activation.project, activation.target
    paths, name = project.paths, activation.configuration.name
    with project.report.phase("switch"):
        _keep_spares(activation)
        if project.in_place:
            project.git.hard_reset(target.commit)
        # After a power loss `current` must not point at files that never reached the disk.
        files.sync_file_systems(project.run, paths.path, target.release)
        if name:
            # Where this release is live already, this is the switch.
            store.assign(paths, target.release, name)
        current.switch(paths, current.link_text(paths, target.release))
        if name:
            store.follow(paths, name)
    if project.in_place:
        build.provide_environment(project, target.release)


def _stage_configuration(activation: Activation) -> None:
    """Write the configuration, whole and on disk; nothing leads to it yet."""
    paths, new = activation.project.paths, activation.configuration.new
    if new:
        store.write(paths, new)


def _keep_spares(activation: Activation) -> None:
    paths = activation.project.paths
    links.keep_spare(paths.current)
    store.keep_spares(paths, activation.before.release)


def _remove_spares(activation: Activation) -> None:
    paths = activation.project.paths
    links.remove_spare(paths.current)
    store.remove_spares(paths, activation.before.release)


def _verify_checkout(project: Project) -> None:
    # In place only, and not before: with the original script it is post_deploy that fetches the submodules.
    if project.in_place:
        checkout.verify(project.git)


def _finish(activation: Activation) -> None:
    """Clean up after success: failures here are warnings."""
    project, target, before = activation.project, activation.target, activation.before
    with as_warning(project, "the HEAD of source was not moved"):
        current.move_source_head(project, target.commit)
    with as_warning(project, "source did not get the configuration"):
        _assign_to_source(activation)
    with as_warning(project, "the links to the previous release were not removed"):
        _remove_spares(activation)
    journal(project, activation.attempt, "live")
    with project.report.phase("prune"), as_warning(project, "old releases were not all removed"):
        prune.prune(project, {path.name for path in (target.release, before.release) if path})


def _assign_to_source(activation: Activation) -> None:
    """Link the configuration in `source` as well: the original script, which may take turns, makes that live."""
    paths, name = activation.project.paths, activation.configuration.name
    if name:
        store.assign(paths, paths.source, name)
