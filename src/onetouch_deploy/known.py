# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which projects and servers a configuration has, by the inventory plugin's own rules, before Ansible is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import files
from .errors import CommandError, InvalidConfigurationError, UnknownProjectError

if TYPE_CHECKING:
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import Placement


def placements(found: files.Found) -> list[Placement]:
    """Return each project on each of its servers; nothing for a file that is no file of projects.

    Raises InvalidConfigurationError with every problem, CommandError for a file that only Ansible can read.
    """
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import (  # noqa: PLC0415  it takes long
        errors,
        placement,
    )

    try:
        return placement.place(files.source(found))
    except errors.ProjectsError as error:
        raise InvalidConfigurationError(f"{str(error)[0].upper()}{str(error)[1:]}") from error


def servers(found: files.Found) -> dict[str, list[str]]:
    """Return the servers of each project; nothing where the file is invalid, encrypted, or no file of projects."""
    try:
        every = placements(found)
    except CommandError:
        return {}
    known: dict[str, list[str]] = {}
    for one in every:
        known.setdefault(one.project.name, []).append(one.server)
    return known


def require_key(key: str) -> None:
    """Raise CommandError for a key that no section may have, written as here or as in the original."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import errors, schema  # noqa: PLC0415

    plain = key.replace("-", "_")
    if plain not in schema.known("project") and schema.type_of(plain) is None:
        raise CommandError(f"There is no key {key}: {errors.suggest(plain, schema.known('project'))}")


def require(found: files.Found, project: str, asked_servers: Sequence[str]) -> None:
    """Raise UnknownProjectError for a name that the configuration has not. Ansible reports one that is invalid."""
    places = servers(found)
    if not places:
        return
    asked = [*places] if project in {"", "all"} else [name for name in map(str.strip, project.split(",")) if name]
    unknown = [name for name in asked if name not in places]
    if unknown:
        raise UnknownProjectError(
            f"There is no project {', '.join(unknown)} in {found.file}. Known projects: {', '.join(places)}."
        )
    there = {server for name in asked for server in places[name]}
    strange = [server for server in asked_servers if server not in there]
    if strange:
        unknown_servers = f"server {', '.join(strange)}. Known servers: {', '.join(sorted(there))}."
        some = project in {"", "all"} or "," in project
        raise UnknownProjectError(f"There is no {unknown_servers}" if some else f"{project} has no {unknown_servers}")
