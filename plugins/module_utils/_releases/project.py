# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""One project in one run: what was asked for, its files, its clone, its procmon, and the run's report."""

from __future__ import annotations

from dataclasses import dataclass, field

from .git.client import Git
from .model import ProjectPaths, Target
from .options import Options
from .procmon import NoProcmon, Procmon
from .report import Report
from .system.run import Run, run_command


@dataclass(frozen=True)
class Project:
    """A project on this server in one run."""

    options: Options
    run: Run = run_command
    report: Report = field(default_factory=Report)

    @property
    def paths(self) -> ProjectPaths:
        return self.options.paths

    @property
    def git(self) -> Git:
        return Git(self.run, self.paths.source)

    @property
    def in_place(self) -> bool:
        return self.options.strategy == "in_place"

    @property
    def procmon(self) -> Procmon | NoProcmon:
        """What serves the project; `NoProcmon` when the project has no status file."""
        options = self.options
        if options.status_file is None:
            return NoProcmon()
        # The restart file is seen from what is live.
        restart_file = self.paths.current / options.restart_file
        return Procmon(options.name, options.status_file, restart_file, options.reload_timeout)

    def target(self, commit: str, ref: str) -> Target:
        """Return where the release of a full sha is, and the ref by which it was asked for."""
        return Target(commit, self.paths.source if self.in_place else self.paths.release(commit), ref)
