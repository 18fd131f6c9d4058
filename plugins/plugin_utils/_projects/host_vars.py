# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placements as inventory hosts: names, variables and groups."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from . import schema
from .validation import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .placement import Placement

# These keys define the connection, and become variables of Ansible itself.
CONNECTION_KEYS = {"user": "ansible_user", "port": "ansible_port", "connection": "ansible_connection"}
OTHER_KEYS = {"host", "hosts", "key", "forward_agent", "needs_tty"}


def host_name(placement: Placement) -> str:
    """Return the name of a placement's inventory host."""
    return f"{placement.project.name}@{placement.server}"


def host_variables(placement: Placement) -> dict[str, object]:
    """Return the host variables of a placement; an absent key sets none."""
    settings = placement.settings
    own = set(schema.known("project")) - set(CONNECTION_KEYS) - OTHER_KEYS
    variables = {f"project_{key}": value for key, value in settings.items() if key in own}
    variables |= {CONNECTION_KEYS[key]: value for key, value in settings.items() if key in CONNECTION_KEYS}
    variables |= {"project_name": placement.project.name, "project_server": placement.server}
    variables["ansible_host"] = placement.address
    # One remote execution per task instead of five, whatever the caller's ansible.cfg sets. Ansible can request a
    # terminal only without it.
    variables["ansible_pipelining"] = not settings.get("needs_tty", False)
    if "env" in settings:
        variables["project_env"] = _as_text(settings["env"])
    if "python" in settings:
        variables["ansible_python_interpreter"] = settings["python"]
    return variables | _ssh_variables(placement)


def control_path(address: str, port: object, key: object, agent: object) -> str:
    """Return a name for the shared connection of a login that differs for another key or agent.

    Ansible's own name depends on host, port and user only. ssh fills in the user (%r), since `setup` logs in as another
    one. The name is short, because the path of a unix socket is limited to some hundred bytes.
    """
    digest = hashlib.sha256(repr((address, port, key, agent)).encode()).hexdigest()
    return f"%(directory)s/{digest[:10]}-%%r"


def group_hosts(placements: Iterable[Placement]) -> dict[str, list[str]]:
    """Return the hosts of each group: `projects` has all, then one group per project and one per server."""
    placements = list(placements)
    servers = server_groups(
        [placement.server for placement in placements], {placement.project.name for placement in placements}
    )
    groups: dict[str, list[str]] = {"projects": [host_name(placement) for placement in placements]}
    for placement in placements:
        groups.setdefault(placement.project.name, []).append(host_name(placement))
    for placement in placements:
        groups.setdefault(servers[placement.server], []).append(host_name(placement))
    return groups


def server_groups(servers: Iterable[str], projects: Iterable[str]) -> dict[str, str]:
    """Return the group of each server: its name made valid, with a prefix (and a number) if that is taken."""
    taken = {*RESERVED, *projects}
    groups: dict[str, str] = {}
    for server in dict.fromkeys(servers):
        plain = re.sub(r"[^A-Za-z0-9_]", "_", server)
        candidates = [] if plain[0].isdigit() else [plain]
        candidates += [f"server_{plain}", *(f"server_{plain}_{count}" for count in range(2, len(taken) + 3))]
        groups[server] = next(name for name in candidates if name not in taken)
        taken.add(groups[server])
    return groups


def _as_text(env: object) -> dict[str, object]:
    """Return the variables with numbers as text; text keeps its Ansible tags, a vaulted value its vault."""
    values: Mapping[str, object] = env if isinstance(env, dict) else {}
    return {name: str(value) if isinstance(value, int) else value for name, value in values.items()}


def _ssh_variables(placement: Placement) -> dict[str, object]:
    settings = placement.settings
    if settings.get("connection") == "local":
        return {}
    key, agent = settings.get("key"), settings.get("forward_agent", False)
    variables: dict[str, object] = {}
    if key:
        variables["ansible_ssh_private_key_file"] = key
    if agent:
        variables["ansible_ssh_common_args"] = "-o ForwardAgent=yes"
    if key or agent:
        variables["ansible_control_path"] = control_path(placement.address, settings.get("port"), key, agent)
    return variables
