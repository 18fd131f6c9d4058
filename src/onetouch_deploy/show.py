# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands show that do not leave the terminal to Ansible: views of its results, ssh's output, a section."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from . import console, files, remote, results, streams, views
from .errors import FAILED, INTERRUPTED, UNREACHABLE, CommandError
from .plan import PROGRAM, Plan
from .results import Result

# How ssh ends when it has failed itself.
SSH_FAILED = 255


def collected(plan: Plan, code: int, returned: list[Result]) -> int:
    """Show a view of what a playbook's tasks returned, then what has failed. Returns the exit code."""
    if plan.options.json:
        print(results.as_json(code, returned))
        return code
    found = results.answers(returned)
    shown = [one for one in found if one.ok]
    code = VIEWS[plan.view](plan, shown) or code
    failed = [*results.failures(returned), *(one for one in found if one not in shown)]
    # A task that fails for what an earlier one has found repeats its message.
    for line in dict.fromkeys(f"{PROGRAM}: {one.host}: {one.message}" for one in failed):
        print(line, file=sys.stderr)
    return code or (FAILED if failed else 0)


def _show_commits(plan: Plan, shown: list[Result]) -> int:
    lines = views.commit_lines(shown, plan.view, plan.lines)
    if lines:
        print("\n".join(lines))
    return FAILED if shown and not lines else 0


def _show_history(plan: Plan, shown: list[Result]) -> int:
    views.print_history(views.attempts(shown, plan.lines))
    return 0


VIEWS: Mapping[str, Callable[[Plan, list[Result]], int]] = MappingProxyType(
    {
        **dict.fromkeys(("list", "current", "previous"), _show_commits),
        "history": _show_history,
    }
)


def without_playbook(plan: Plan, found: files.Found) -> int:
    """Show what needs no playbook. Returns the exit code."""
    return WITHOUT_PLAYBOOK[plan.view](plan, found)


def _config(plan: Plan, found: files.Found) -> int:
    section = files.section_of(found, plan.project)
    if not plan.words:
        print("\n".join(views.config_lines(section.values)))
        return 0
    value = views.value_of(section.values, plan.words[0])
    if value is None:
        return FAILED
    print(views.text(value))
    return 0


def _hosts(plan: Plan, found: files.Found) -> list[remote.Host]:
    os.chdir(found.root)
    return remote.inventory_hosts(files.inventory(found), found.root, plan.project, plan.options.servers)


def _exec(plan: Plan, found: files.Found) -> int:
    """Run a command in the live release on every server at the same time. Its exit code is ours."""
    hosts = _hosts(plan, found)
    with tempfile.TemporaryDirectory(prefix="deploy-") as directory:
        logs = {host.name: Path(directory) / host.name for host in hosts}
        commands = {
            host.name: remote.command(host, console.program(host, plan.words), log=logs[host.name]) for host in hosts
        }
        codes = streams.show(commands)
        if codes is None:
            below = "\n" if sys.stderr.isatty() else ""  # of `^C`
            print(f"{below}{PROGRAM}: interrupted: the command is ended on the server.", file=sys.stderr)
            return INTERRUPTED
        every = [_exit_code(host, plan.project, codes[host.name], logs[host.name]) for host in hosts]
        return next((code for code in every if code), 0)


def _exit_code(host: remote.Host, project: str, code: int, log: Path) -> int:
    """Return the exit code for that of an ssh: of its own failure where it has reported one, which is shown."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_failure  # noqa: PLC0415

    errors = log.read_text(errors="replace").strip() if log.exists() else ""
    if code != SSH_FAILED or not errors:
        return code
    login = _login_failure.read_login(host.variables, host.name)
    why = _login_failure.not_reached(errors.splitlines()[-1], login, f"{PROGRAM} {project} setup")
    print(f"{PROGRAM}: {host.name} cannot be reached, or the connection broke: {why}.", file=sys.stderr)
    return UNREACHABLE


def _console(plan: Plan, found: files.Found) -> int:
    """Become the ssh that opens the shell, on the first server."""
    host = _hosts(plan, found)[0]
    argv = remote.command(host, console.program(host), terminal=True)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted


def _logs(plan: Plan, found: files.Found) -> int:
    hosts = [host for host in _hosts(plan, found) if host.text("project_app")]
    if not hosts:
        raise CommandError(f"{plan.project} has no app, so that no unit writes a journal for it.")
    commands = {host.name: remote.journal(host, plan.lines or 1, follow=plan.follow) for host in hosts}
    codes = streams.show(commands)
    return INTERRUPTED if codes is None else next((code for code in codes.values() if code), 0)


WITHOUT_PLAYBOOK: Mapping[str, Callable[[Plan, files.Found], int]] = MappingProxyType(
    {"config": _config, "console": _console, "exec": _exec, "logs": _logs}
)
