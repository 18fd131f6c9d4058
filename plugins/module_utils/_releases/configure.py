# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Setup's own way to write a configuration: as that of what is live, before procmon is started or upgraded.

A deploy switches the configuration with its release, and needs none of this.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from .configuration import plan, store, text
from .configuration.plan import Plan
from .configuration.text import Wanted
from .errors import ReleaseError
from .model import Current
from .project import Project
from .release import current
from .states import locked
from .system.run import Run


@dataclass(frozen=True)
class Configured:
    """What setup has done: the names of the settings that changed, and the configurations before and after.

    `former_bind` is the address that was in the one before; empty where there was none.
    """

    previous: str | None
    configuration: str | None
    settings: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    former_bind: str = ""


def configure(project: Project, program: str | None, *, check: bool) -> Configured:
    """Make the options' configuration that of what is live, once procmon's `program` has accepted it.

    Raises ReleaseError when it does not.
    """
    live = current.read(project.paths, project.git)
    wanted = plan.wanted(project.options) or Wanted(None)
    made = plan.make_plan(project.paths, live.configuration, wanted)
    if program and wanted.settings is not None:
        _check(project.run, program, wanted)
    former = store.read(project.paths, live.configuration) if live.configuration else None
    if not check:
        _apply(project, live, made)
    bind = text.read_toml((former and former.toml) or "").get("bind", "").strip('"')
    return Configured(live.configuration, made.name, made.changed, made.differences, bind)


def restore(project: Project, name: str) -> Configured:
    """Make an earlier configuration that of what is live. Raises ReleaseError when it is gone."""
    if store.read(project.paths, name) is None:
        raise ReleaseError(f"there is no configuration {name}", "run setup again")
    live = current.read(project.paths, project.git)
    _apply(project, live, Plan(kept=name))
    return Configured(live.configuration, name)


def _check(run: Run, program: str, wanted: Wanted) -> None:
    """Ask procmon to check its settings; the variables are ours to check."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".toml") as file:
        file.write(text.procmon_toml(wanted.settings or {}, wanted.env_file))
        file.flush()
        done = run([program, "check", file.name])
    if done.rc:
        found = done.err.strip().replace("procmon: ", "", 1).replace(f"{file.name}: ", "", 1)
        raise ReleaseError(found, "correct the project's settings")


def _apply(project: Project, live: Current, made: Plan) -> None:
    paths = project.paths
    with locked(project):
        if made.new:
            store.write(paths, made.new)
        if made.name is None:
            return
        for place in filter(Path.is_dir, (paths.source, *([live.release] if live.release else []))):
            store.assign(paths, place, made.name)
        store.follow(paths, made.name)
