# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What one activation works with: the project, the release to activate, what was live, and the recorded attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..configuration import store
from ..configuration.plan import Plan
from ..model import Current, Target
from ..options import Options
from ..progress import HookOutput
from ..project import Project
from ..records import history, state
from ..records.state import Attempt
from . import hooks
from .in_release import app_variables
from .journal import as_warning


@dataclass(frozen=True)
class Activation:
    """One release on its way to being live.

    `configuration` is the one to be live with it. `variables` are the app's for the hooks, `previous_variables` those
    of the release that was live. `started_hooks` has the names of the hooks that have been started.
    """

    project: Project
    target: Target
    before: Current
    attempt: Attempt
    configuration: Plan
    variables: Mapping[str, str]
    previous_variables: Mapping[str, str]
    started_hooks: set[str] = field(default_factory=set)

    def hook(self, name: str, release: Path, *, restoring: bool = False) -> None:
        """Run the hook of that name in `release`, if the project has it. Raises ReleaseError when it fails."""
        options = self.project.options
        command = commands(options)[name]
        if not command:
            return
        hook = hooks.Hook(name, command, options.hook_timeout)
        app = self.previous_variables if restoring else self.variables
        variables = {**app, **self._variables(release, restoring=restoring)}
        log = self.project.paths.hook_log
        with as_warning(self.project, f"{name} has no header in {log}"):
            hooks.write_header(log, name, variables["DEPLOY_COMMIT"], state.now())
        with self.project.report.phase(name), self._copied(name) as copy:
            hooks.run_hook(hook, release, variables, log, hooks.Listener(self.started_hooks.add, copy))

    @contextmanager
    def _copied(self, name: str) -> Iterator[Callable[[], None]]:
        """Copy what a hook writes to the progress, where that is read, and the end of it to the report."""
        report, log = self.project.report, self.project.paths.hook_log
        output = HookOutput(report.progress, name, log, log.stat().st_size if log.exists() else 0)
        try:
            yield output.copy
        finally:
            output.copy()
            if report.progress.run:
                report.output.append(output.result())

    def _variables(self, release: Path, *, restoring: bool) -> dict[str, str]:
        """Return the variables that tell a hook what is being deployed; in a restored release, that one."""
        commit, previous = self.target.commit, self.before.commit
        return {
            "SHARED": str(self.project.paths.shared),
            "DEPLOY_PROJECT": self.project.options.name,
            "DEPLOY_COMMIT": (previous or "") if restoring else commit,
            "DEPLOY_PREVIOUS": commit if restoring else (previous or ""),
            "DEPLOY_REF": (previous or "") if restoring else self.target.ref,
            "DEPLOY_PATH": str(self.project.paths.path),
            "DEPLOY_RELEASE": str(release),
        }


def begin(project: Project, target: Target, before: Current, configuration: Plan, action: str) -> Activation:
    """Return the activation of `target`, with an attempt that can be recorded and undone.

    Raises ReleaseError or OSError when there is a hook and it could not run: now nothing has changed yet.
    """
    paths = project.paths
    lines = len(history.read_deploys(paths.deploys))
    begun = state.new_attempt(project.options, action, before, target)
    attempt = replace(begun, lines=lines, settings=list(configuration.changed))
    variables: tuple[Mapping[str, str], Mapping[str, str]] = {}, {}
    if any(commands(project.options).values()):
        hooks.open_log(paths.hook_log).close()
        live = store.read(paths, before.configuration) if before.configuration else None
        coming = configuration.new or (store.read(paths, configuration.kept) if configuration.kept else None)
        own_file = project.options.env_file
        variables = app_variables(coming, own_file), app_variables(live, own_file)
    return Activation(project, target, before, attempt, configuration, *variables)


def commands(options: Options) -> dict[str, str | None]:
    """Return the command of each hook."""
    return {"pre_deploy": options.pre_deploy, "post_deploy": options.post_deploy, "test": options.test}
