# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory hosts (`project@server`) as a report lists them. Pure. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable


def together(hosts: Iterable[str]) -> str:
    """Return hosts (`project@server`) with each server once, and servers that have the same projects together."""
    servers: dict[str, list[str]] = {}
    for host in hosts:
        project, _at, server = host.partition("@")
        servers.setdefault(server, []).append(project)
    alike: dict[tuple[str, ...], list[str]] = {}
    for server, projects in servers.items():
        alike.setdefault(tuple(projects), []).append(server)
    return "; ".join(_where(projects, names) for projects, names in alike.items())


def _where(projects: tuple[str, ...], servers: list[str]) -> str:
    if len(projects) == len(servers) == 1:
        return "@".join(filter(None, [*projects, *servers]))
    return f"{', '.join(projects)}{' on ' if any(servers) else ''}{' and '.join(servers)}"
