# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a Plan: the edge between the command line and everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from . import files, playbook, remote, results, streams, views, warmup
from .console import program
from .errors import FAILED, UNREACHABLE, WRONG_USAGE, CommandError
from .plan import PROGRAM, Plan, arguments
from .results import Result


def carry_out(plan: Plan) -> int:
    """Carry out a plan, and return the exit code. Raises CommandError."""
    plan = _absolute(plan)
    if plan.view in WITHOUT_PLAYBOOK:
        return WITHOUT_PLAYBOOK[plan.view](plan)
    if plan.playbook == "init":
        return _run(plan, Path.cwd(), None)
    found = _found(plan)
    if plan.playbook == "remove" and not (plan.yes or plan.options.check or sys.stdin.isatty()):
        raise CommandError("remove asks before it removes anything, and there is no terminal. Use --yes.", WRONG_USAGE)
    return _run(plan, found.root, files.inventory(found), found)


def _absolute(plan: Plan) -> Plan:
    """Return the plan with the paths that Ansible gets made absolute: it runs in another directory."""
    start = Path(plan.options.chdir or ".").absolute()
    paths = {name: str(start / str(plan.variables[name])) for name in PATHS if name in plan.variables}
    return replace(plan, variables={**plan.variables, **paths})


PATHS = ("directory", "deploy_conf")


def _found(plan: Plan) -> files.Found:
    return files.require(Path(plan.options.chdir or "."), plan.options.config)


def _run(plan: Plan, root: Path, inventory: Path | None, found: files.Found | None = None) -> int:
    """Run the playbook: with the terminal to itself, or to show what it has collected."""
    words = arguments(plan, inventory)
    if not plan.view and not plan.options.json:
        playbook.become(words, root, warmup.environment(plan, found) if found else {})
    code, collected = playbook.collect(words, root)
    if plan.options.json:
        print(results.as_json(code, collected))
        return code or (UNREACHABLE if results.failures(collected) else 0)
    return _show(plan, code, collected)


def _show(plan: Plan, code: int, collected: list[Result]) -> int:
    """Show a view, then what has failed."""
    found = results.answers(collected)
    shown = [one for one in found if one.outcome == "ok" or plan.view == "exec"]
    code = VIEWS[plan.view](plan, shown) or code
    failed = [*results.failures(collected), *(one for one in found if one not in shown)]
    for one in failed:
        print(f"{PROGRAM}: {one.host}: {one.message}", file=sys.stderr)
    return code or (FAILED if failed else 0)


def _show_commits(plan: Plan, shown: list[Result]) -> int:
    lines = views.commit_lines(shown, plan.view, plan.lines)
    if lines:
        print("\n".join(lines))
    return FAILED if shown and not lines else 0


def _show_history(plan: Plan, shown: list[Result]) -> int:
    views.print_history(views.attempts(shown, plan.lines))
    return 0


def _show_output(_plan: Plan, shown: list[Result]) -> int:
    """Print what a command wrote: of one server as it is, of several below their names. Its exit code is ours."""
    for one in shown:
        if len(shown) > 1:
            print(f"{one.host}:", flush=True)
        print(one.data.get("stdout", ""), end="", flush=True)
        print(one.data.get("stderr", ""), end="", file=sys.stderr, flush=True)
        if "rc" not in one.data:
            print(f"{PROGRAM}: {one.host}: {one.message}", file=sys.stderr)
    return next((code for one in shown if (code := int(one.data.get("rc", FAILED)))), 0)


VIEWS: Mapping[str, Callable[[Plan, list[Result]], int]] = MappingProxyType(
    {
        **dict.fromkeys(("list", "current", "previous"), _show_commits),
        "history": _show_history,
        "exec": _show_output,
    }
)


def _config(plan: Plan) -> int:
    section = files.section_of(_found(plan), plan.project)
    if not plan.words:
        print("\n".join(views.config_lines(section.values)))
        return 0
    value = views.value_of(section.values, plan.words[0])
    if value is None:
        return FAILED
    print(views.text(value))
    return 0


def _hosts(plan: Plan) -> list[remote.Host]:
    found = _found(plan)
    os.chdir(found.root)
    return remote.inventory_hosts(files.inventory(found), found.root, plan.project, plan.options.servers)


def _console(plan: Plan) -> int:
    """Become the ssh that opens the shell, on the first server."""
    host = _hosts(plan)[0]
    argv = remote.command(host, program(host), terminal=True)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted


def _logs(plan: Plan) -> int:
    hosts = [host for host in _hosts(plan) if host.text("project_app")]
    if not hosts:
        raise CommandError(f"{plan.project} has no app, so that no unit writes a journal for it.")
    return streams.show({host.name: remote.journal(host, plan.lines or 1, follow=plan.follow) for host in hosts})


WITHOUT_PLAYBOOK: Mapping[str, Callable[[Plan], int]] = MappingProxyType(
    {"config": _config, "console": _console, "logs": _logs}
)
