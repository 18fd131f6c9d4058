# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh commands of `exec`, `console` and `logs`: what Ansible would log in with, and what runs on the server."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import playbook, stopping
from .errors import CommandError, UnknownProjectError

# Who may not read the journal asks sudo, which must not ask for a password: there may be several servers.
JOURNAL = """if [ "$(id -u)" = 0 ] || id -nG | grep -qwE 'adm|systemd-journal'; then exec journalctl "$@"; fi
if ! sudo -n -l journalctl >/dev/null 2>&1; then
    user=$(id -un)
    echo "$user may not read the journal. On the server, as root: usermod -aG systemd-journal $user" >&2
    exit 1
fi
exec sudo -n journalctl "$@"
"""


@dataclass(frozen=True)
class Host:
    """A host of the inventory with its variables, which are those of groups as well."""

    name: str
    variables: Mapping[str, Any]

    @property
    def is_local(self) -> bool:
        return self.variables.get("ansible_connection") == "local"

    def text(self, name: str, default: str = "") -> str:
        """Return a variable as text."""
        value = self.variables.get(name)
        return default if value is None else str(value)


def inventory_hosts(inventory: Path, root: Path, project: str, servers: tuple[str, ...]) -> list[Host]:
    """Return the hosts of a project, as Ansible sees them. Raises CommandError when there are none."""
    argv = [str(playbook.program("ansible-inventory")), "-i", str(inventory), "--list"]
    environment = playbook.environment(root)
    # By SIGINT Ansible removes its temporary files.
    with stopping.running(argv, signal.SIGINT, cwd=root, env=environment, stdout=subprocess.PIPE) as process:
        listing, _errors = process.communicate()
    if process.returncode:
        raise CommandError("The inventory cannot be read: see above.", process.returncode)
    return hosts_of(json.loads(listing), project, servers)


def hosts_of(listing: Mapping[str, Any], project: str, servers: tuple[str, ...]) -> list[Host]:
    """Return a project's hosts in what ansible-inventory lists; of several projects, or of `all` of them."""
    every = [Host(name, plain(variables)) for name, variables in listing["_meta"]["hostvars"].items()]
    known = {host.text("project_name") for host in every} - {""}
    asked = known if project == "all" else {*project.split(",")}
    found = [host for host in every if host.text("project_name") in asked]
    chosen = [host for host in found if not servers or host.name.partition("@")[2] in servers]
    if found and chosen:
        return chosen
    if found:
        there = ", ".join(host.name.partition("@")[2] for host in found)
        raise UnknownProjectError(f"{project} has no server {', '.join(servers)}. Its servers: {there}.")
    names = ", ".join(sorted(known)) or "none"
    raise UnknownProjectError(f'There is no project "{project}". Known projects: {names}.')


def plain(value: Any) -> Any:  # noqa: ANN401  JSON
    """Return a value of ansible-inventory without its marks: what is no template, and what is encrypted."""
    if isinstance(value, dict):
        return "(encrypted)" if "__ansible_vault" in value else value.get("__ansible_unsafe", _each(value))
    return [plain(one) for one in value] if isinstance(value, list) else value


def _each(value: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(one) for name, one in value.items()}


def login(host: Host, *, terminal: bool, user: str = "", log: Path | None = None) -> list[str]:
    """Return the ssh command that logs in to a host, without what it runs there; empty for this machine.

    In `log` ssh writes its own errors, and nothing else: apart from what the command writes.
    """
    if host.is_local:
        return []
    name = user or host.text("ansible_user") or host.text("ansible_ssh_user")
    port, key = host.text("ansible_port"), host.text("ansible_ssh_private_key_file")
    return [
        host.text("ansible_ssh_executable", "ssh"),
        *(["-t"] if terminal else ["-T"]),
        *(["-E", str(log), "-o", "LogLevel=ERROR"] if log else []),
        *(["-p", port] if port else []),
        *(["-i", key] if key else []),
        *(["-l", name] if name else []),
        *shlex.split(host.text("ansible_ssh_common_args")),
        *shlex.split(host.text("ansible_ssh_extra_args")),
        host.text("ansible_host", host.name),
    ]


def command(
    host: Host, argv: list[str], *, terminal: bool = False, user: str = "", log: Path | None = None
) -> list[str]:
    """Return the command that runs `argv` on a host: ssh hands one text to a shell there. Options as of `login`."""
    through = login(host, terminal=terminal, user=user, log=log)
    return [*through, "--", shlex.join(argv)] if through else argv


def journal(host: Host, lines: int, *, follow: bool, log: Path | None = None) -> list[str]:
    """Return the command that prints the journal of a project's unit; root's login where setup uses it."""
    wanted = ["--unit", f"procmon@{host.text('project_name')}.service", "--lines", str(lines), "--no-pager"]
    # One server's lines need not name it, and those of several begin with its name.
    wanted += ["--output", "short-iso", "--no-hostname", *(["--follow"] if follow else [])]
    return command(host, ["sh", "-c", JOURNAL, "journal", *wanted], user=host.text("project_admin"), log=log)
