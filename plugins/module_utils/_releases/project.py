# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .git.client import Git
from .model import Live, Target, Tree, Wanted
from .records import state as attempt
from .release import disk
from .report import Report
from .system.run import Run, run_command


@dataclass(frozen=True)
class Project:
    """A project on this server in one run: what is wanted, its tree, its clone, and the report of the run."""

    wanted: Wanted
    run: Run = run_command
    report: Report = field(default_factory=Report)

    @property
    def tree(self) -> Tree:
        return self.wanted.tree

    @property
    def git(self) -> Git:
        return Git(self.run, self.tree.source)

    @property
    def in_place(self) -> bool:
        return self.wanted.strategy == "in_place"

    @property
    def restart_file(self) -> Path:
        """The file that asks procmon to reload, seen from what is live."""
        return self.tree.current / self.wanted.restart_file

    def live(self) -> Live:
        """Say what `current` stands for now."""
        return disk.read_live(self.tree, self.git)

    def untouchable(self) -> set[str]:
        """Name the releases that are live, or would be again when an interrupted run is undone."""
        interrupted = attempt.read(self.tree.state)
        links = (self.live().link, interrupted.link if interrupted else None)
        return {Path(link).name for link in links if link}

    def target(self, commit: str, ref: str) -> Target:
        """Say where a full sha lives when it is live."""
        return Target(commit, self.tree.source if self.in_place else self.tree.release(commit), ref)
