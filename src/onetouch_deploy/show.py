# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands show that do not leave the terminal to Ansible: views of its results, ssh's output, a section."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from . import console, files, foreground, known, output, remote, results, settings, stopping, streams, views
from .errors import FAILED, UNREACHABLE, CommandError
from .plan import PROGRAM, Plan
from .results import Result

NO_REASON = "Ansible ended without a reason. What it printed as errors may have it."
# How ssh ends when it has failed itself.
SSH_FAILED = 255


def collected(plan: Plan, code: int, returned: list[Result], reported: list[str]) -> int:
    """Show a view of what a playbook's tasks returned, then what has failed. Returns the exit code.

    `reported` is what Ansible has reported as errors. Where a server has failed, they say the same.
    """
    found = results.answers(returned)
    shown = [one for one in found if one.ok]
    failed = [*results.failures(returned), *(one for one in found if one not in shown)]
    if plan.options.json:
        print(results.as_json(code, returned, [] if failed or not code else reported or [NO_REASON]))
        return code
    code = VIEWS[plan.view](plan, shown) or code
    # A task that fails for what an earlier one has found repeats its message.
    for line in dict.fromkeys(f"{one.host}: {one.message}" for one in failed):
        output.report(line)
    return code or (FAILED if failed else 0)


def _show_commits(plan: Plan, shown: list[Result]) -> int:
    lines = views.commit_lines(shown, plan.view, plan.lines)
    output.show(lines)
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
    files.section_of(found, plan.project)
    known.require(found, plan.project, plan.options.servers)
    servers = plan.options.servers
    mine = [one for one in known.placements(found) if one.project.name == plan.project]
    configuration = settings.of_project([one for one in mine if not servers or one.server in servers])
    key = plan.words[0] if plan.words else ""
    if key:
        known.require_key(key)
    if plan.options.json:
        print(results.configuration_as_json(plan.project, configuration, key))
    elif not key:
        output.show(configuration.lines())
    elif configuration.value(key) is not None:
        output.show(views.value_lines(configuration.value(key)))
    return 0 if not key or configuration.value(key) is not None else FAILED


def _hosts(plan: Plan, found: files.Found) -> list[remote.Host]:
    os.chdir(found.root)
    return remote.inventory_hosts(files.inventory(found), found.root, plan.project, plan.options.servers)


def _exec(plan: Plan, found: files.Found) -> int:
    """Run a command in the live release on every server at the same time. Its exit code is ours."""
    hosts = _hosts(plan, found)
    try:
        return _on_each(plan, hosts, lambda host, log: remote.command(host, console.program(host, plan.words), log=log))
    except stopping.Stopped:
        below = "\n" if os.isatty(output.STDERR) else ""  # of `^C`
        output.report("interrupted: the command is ended on the server.", below)
        raise


def _logs(plan: Plan, found: files.Found) -> int:
    hosts = [host for host in _hosts(plan, found) if host.text("project_app")]
    if not hosts:
        raise CommandError(
            f"{plan.project} has no app, so that no unit writes a journal for it. shared/logs/deploy.log has its hooks."
        )
    return _on_each(plan, hosts, lambda host, log: remote.journal(host, plan.lines or 1, follow=plan.follow, log=log))


def _on_each(plan: Plan, hosts: Sequence[remote.Host], command: Callable[[remote.Host, Path], list[str]]) -> int:
    """Run a command of each host at the same time. Returns the first exit code that is not 0."""
    with _errors_of_ssh(hosts) as logs:
        codes = streams.show({host.name: command(host, logs[host.name]) for host in hosts})
        every = [_exit_code(host, plan, codes[host.name], logs[host.name]) for host in hosts]
    return next((code for code in every if code), 0)


def _console(plan: Plan, found: files.Found) -> int:
    """Open the shell, on the first server."""
    host = _hosts(plan, found)[0]
    with _errors_of_ssh([host]) as logs:
        log = logs[host.name]
        code = foreground.run(remote.command(host, console.program(host), terminal=True, log=log))
        return _exit_code(host, plan, code, log)


@contextmanager
def _errors_of_ssh(hosts: Sequence[remote.Host]) -> Iterator[dict[str, Path]]:
    """Yield a file for what the ssh of each host reports itself."""
    with tempfile.TemporaryDirectory(prefix="deploy-") as directory:
        yield {host.name: Path(directory) / host.name for host in hosts}


def _exit_code(host: remote.Host, plan: Plan, code: int, log: Path) -> int:
    """Return the exit code for that of an ssh: of its own failure where it has reported one, which is shown."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_failure  # noqa: PLC0415

    errors = log.read_text(errors="replace").strip() if log.exists() else ""
    if code != SSH_FAILED or not errors:
        return code
    login = _login_failure.read_login(host.variables, host.name)
    if login and plan.view == "logs" and login.admin:
        login = replace(login, user=login.admin)
    why = _login_failure.not_reached(errors.splitlines()[-1], login, f"{PROGRAM} {plan.project} setup")
    output.report(f"{host.name} cannot be reached, or the connection broke: {why}.")
    return UNREACHABLE


WITHOUT_PLAYBOOK: Mapping[str, Callable[[Plan, files.Found], int]] = MappingProxyType(
    {"config": _config, "console": _console, "exec": _exec, "logs": _logs}
)
