# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which project goes to which server, with the settings of both, and where two of them collide."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import Problem, ProjectsError
from .validation import check_project, check_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .section import Section, Source


@dataclass(frozen=True)
class Placement:
    """One project on one server. `settings` are the server's own with the project's on top."""

    project: Section
    server: str
    address: str
    settings: Mapping[str, object]


def place(source: Source) -> list[Placement]:
    """Return the placements of a configuration, in the order of the file.

    Raises ProjectsError with all problems of single sections; when there are none, with all collisions between them.
    """
    problems = [*source.problems, *_section_problems(source)]
    if problems:
        raise ProjectsError(problems)
    placements = list(_placements(source))
    problems = [*_duplicate_hosts(source), *_collisions(placements)]
    if problems:
        raise ProjectsError(problems)
    return placements


def servers_of(project: Section) -> list[str]:
    """Return the servers of a project, in order; `localhost` when `connection: local` has no host."""
    hosts = project.values.get("hosts")
    if isinstance(hosts, list):
        return [str(host) for host in hosts]
    return [str(project.values.get("host", "localhost"))]


def _section_problems(source: Source) -> Iterator[Problem]:
    for project in source.projects:
        yield from check_project(project)
    for server in source.servers:
        yield from check_server(server)


def _placements(source: Source) -> Iterator[Placement]:
    own = {server.name: server.normal_values() for server in source.servers}
    for project in source.projects:
        values = {key: value for key, value in project.normal_values().items() if key not in {"host", "hosts"}}
        for server in servers_of(project):
            settings = {**own.get(server, {}), **values}
            yield Placement(project, server, str(settings.pop("host", server)), settings)


def _duplicate_hosts(source: Source) -> Iterator[Problem]:
    for project in source.projects:
        servers = servers_of(project)
        for server in sorted({server for server in servers if servers.count(server) > 1}):
            yield project.problem("hosts", f"duplicate host {server!r}")


def _collisions(placements: Iterable[Placement]) -> Iterator[Problem]:
    taken: dict[tuple[object, ...], str] = {}
    for placement in placements:
        # Two names may mean one server; behind one address, another port is another machine.
        machine = (placement.address, placement.settings.get("port"))
        for key, value in _exclusive(placement):
            owner = taken.setdefault((*machine, key, value), placement.project.name)
            if owner != placement.project.name:
                message = (
                    f"{value!r} on server {placement.server} is already used by project {owner}: give each its own"
                )
                yield placement.project.problem(key, message)


def _exclusive(placement: Placement) -> Iterator[tuple[str, str]]:
    yield "path", posixpath.normpath(str(placement.settings["path"]))
    if "bind" in placement.settings:
        yield "bind", str(placement.settings["bind"])
