# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory hosts, their variables and their groups, out of placements."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from . import schema
from .validation import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .placement import Placement

# These keys say how to reach the server, and become variables of Ansible itself.
CONNECTION_KEYS = {"user": "ansible_user", "port": "ansible_port", "connection": "ansible_connection"}
OTHER_KEYS = {"host", "hosts", "key", "forward_agent", "needs_tty"}


def host_name(placement: Placement) -> str:
    """Name the inventory host of a placement."""
    return f"{placement.project.name}@{placement.server}"


def host_variables(placement: Placement) -> dict[str, object]:
    """Turn settings into host variables; an absent key sets none."""
    settings = placement.settings
    own = set(schema.known("project")) - set(CONNECTION_KEYS) - OTHER_KEYS
    variables = {f"project_{key}": value for key, value in settings.items() if key in own}
    variables |= {CONNECTION_KEYS[key]: value for key, value in settings.items() if key in CONNECTION_KEYS}
    variables |= {"project_name": placement.project.name, "project_server": placement.server}
    variables["ansible_host"] = placement.address
    # One remote execution for a task instead of five, whatever the ansible.cfg of the one who installed the collection
    # says. Without it Ansible can ask for a terminal.
    variables["ansible_pipelining"] = not settings.get("needs_tty", False)
    if "env" in settings:
        variables["project_env"] = _as_text(settings["env"])
    if "python" in settings:
        variables["ansible_python_interpreter"] = settings["python"]
    return variables | _ssh_variables(placement)


def control_path(address: str, port: object, key: object, agent: object) -> str:
    """Name the shared connection of a login, apart from that of another key or agent.

    Ansible's own name knows host, port and user only. ssh itself puts the user in, since `setup` logs in as another.
    The name stays short: the path of a unix socket has room for a hundred bytes.
    """
    digest = hashlib.sha256(repr((address, port, key, agent)).encode()).hexdigest()
    return f"%(directory)s/{digest[:10]}-%%r"


def group_hosts(placements: Iterable[Placement]) -> dict[str, list[str]]:
    """Group the hosts: `projects` has all, then one group a project and one a server."""
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
    """Name a group for each server: its own name made valid, with a prefix (and a number) where that is taken."""
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
    """Write numbers as text, as an environment needs it; text keeps its Ansible tags, vaulted values their vault."""
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
