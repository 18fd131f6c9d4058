# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a Plan: ansible-playbook in the place of this process, or what `show` makes of its results."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import files, playbook, warmup
from .errors import WRONG_USAGE, CommandError, InvalidConfigurationError
from .plan import Plan, arguments

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_JSON = frozenset({"console", "logs"})
# Paths that Ansible gets: it may run in another directory.
PATHS = ("directory", "deploy_conf")


def carry_out(plan: Plan) -> int:
    """Carry out a plan, and return the exit code. Raises CommandError."""
    if plan.options.json and plan.view in WITHOUT_JSON:
        raise CommandError(f"{plan.view} prints what the servers write, and has no --json. Leave it out.", WRONG_USAGE)
    plan = _absolute(plan)
    if plan.playbook == "init":
        return _run(plan, files.current_directory(), None)
    found = files.require(Path(plan.options.chdir or "."), plan.options.config)
    if plan.is_without_ansible:
        return _show()(plan, found)
    if plan.options.servers:
        _require_servers(plan, found)
    if plan.playbook == "remove" and not (plan.yes or plan.options.check or sys.stdin.isatty()):
        raise CommandError("remove asks before it removes anything, and there is no terminal. Use --yes.", WRONG_USAGE)
    return _run(plan, found.root, found)


def _require_servers(plan: Plan, found: files.Found) -> None:
    """Raise UnknownProjectError for a server that the project has not: Ansible's --limit would match nothing."""
    from . import known, remote  # noqa: PLC0415  where all servers are meant, Ansible starts sooner without

    try:
        places = known.placements(found)
    except InvalidConfigurationError:
        raise
    except CommandError:
        # Ansible can read it, with a password, or reports why it cannot.
        return
    if places:
        known.require(found, plan.project, plan.options.servers)
    else:
        remote.inventory_hosts(files.inventory(found), found.root, plan.project or "all", plan.options.servers)


def _absolute(plan: Plan) -> Plan:
    """Return the plan with the paths of its variables made absolute."""
    start = Path(plan.options.chdir or ".")
    start = start if start.is_absolute() else files.current_directory() / start
    paths = {name: str(start / str(plan.variables[name])) for name in PATHS if name in plan.variables}
    return replace(plan, variables={**plan.variables, **paths})


def _run(plan: Plan, root: Path, found: files.Found | None) -> int:
    """Run the playbook: with the terminal to itself, or to show what it returns."""
    words = arguments(plan, files.inventory(found) if found else None)
    extra = warmup.environment(plan, found) if found else {}
    extra = {**extra, **{f"{playbook.MEANT}{word.upper()}": command for word, command in plan.meant.items()}}
    if plan.view in {"", "exec"} and not plan.options.json:
        playbook.become(words, root, extra)
    from . import collect, show  # noqa: PLC0415  what shows nothing starts sooner without

    return show.collected(plan, *collect.collect(words, root, extra))


def _show() -> Callable[[Plan, files.Found], int]:
    from . import show  # noqa: PLC0415  as above

    return show.without_playbook
