# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Decides which Python environment a release asks for, from the files in its repository."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReleaseError
from . import requirements
from .toml import Table, TomlReader

LOCK = "uv.lock"
REQUIREMENTS = "requirements.txt"
PROJECT = "pyproject.toml"
UV_SETTINGS = "uv.toml"

# How uv.lock names a package that is a part of the repository.
LOCAL_SOURCES = ("editable", "directory", "path", "virtual")
# How [tool.uv.sources] does.
LOCAL_ORIGINS = ("path", "workspace")


@dataclass(frozen=True)
class Spec:
    """What a release needs from its Python environment.

    `lead` is the file that decides (uv.lock, requirements.txt or pyproject.toml), `files` are the names and contents of
    all that count. `tied_to` names the release when a requirement is part of it: no other can use the environment.
    `python` is what `requires-python` says, `dependencies` are those of pyproject.toml where that file decides.
    `is_static` is False where only a build of the project would show what it depends on.
    """

    lead: str
    files: tuple[tuple[str, bytes], ...]
    tied_to: str = ""
    python: str = ""
    dependencies: tuple[str, ...] = ()
    is_static: bool = True


def plan_environment(release: Path, read_toml: TomlReader) -> Spec | None:
    """Return which environment `release` asks for; None when it asks for none.

    Raises ReleaseError when a file that decides cannot be read, or includes one that is missing or outside of the
    release.
    """
    if (release / LOCK).is_file() and (release / PROJECT).is_file():
        return _from_lock(release, read_toml)
    if (release / REQUIREMENTS).is_file():
        return _from_requirements(release, read_toml)
    if (release / PROJECT).is_file():
        return _from_project(release, read_toml(release / PROJECT))
    return None


def required_python(release: Path, read_toml: TomlReader) -> str:
    """Return what `requires-python` of a release says, nothing without it. Raises ReleaseError as above."""
    return _required_python(read_toml(release / PROJECT)) if (release / PROJECT).is_file() else ""


def digest(spec: Spec) -> list[tuple[str, str]]:
    """Return each file's name with the hash of its content."""
    return [(name, hashlib.sha256(content).hexdigest()) for name, content in spec.files]


def table(data: Table, *names: str) -> Table:
    """Return the table below `data` at the path `names`, an empty one where there is none."""
    for name in names:
        inner = data.get(name)
        data = inner if isinstance(inner, dict) else {}
    return data


def listed(data: Table, name: str) -> list[Any]:
    """Return the list `name` of a table, an empty one where there is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def _from_lock(release: Path, read_toml: TomlReader) -> Spec:
    project = read_toml(release / PROJECT)
    packages = [package for package in listed(read_toml(release / LOCK), "package") if isinstance(package, dict)]
    is_local = any(_is_elsewhere(table(package, "source")) for package in packages)
    dynamic = set(listed(table(project, "project"), "dynamic"))
    return Spec(
        LOCK,
        (*_contents(release, [LOCK, PROJECT]), *_uv_file(release)),
        release.name if is_local else "",
        _required_python(project),
        is_static=not dynamic & {"dependencies", "optional-dependencies"},
    )


def _from_requirements(release: Path, read_toml: TomlReader) -> Spec:
    names = requirements.included(release, REQUIREMENTS)
    files = _contents(release, names)
    is_local = any(map(requirements.is_local, _all_lines(files)))
    try:
        project = read_toml(release / PROJECT) if (release / PROJECT).is_file() else {}
        tables = table(project, "tool", "uv")
        settings = json.dumps(tables, sort_keys=True, default=str).encode() if tables else b""
    except ReleaseError:
        # It does not decide what is installed, and pip does not read it. uv warns, and goes on without its settings.
        project, settings = {}, (release / PROJECT).read_bytes()
    uv_tables = ((PROJECT, settings),) if settings and PROJECT not in names else ()
    return Spec(
        REQUIREMENTS,
        (*files, *_uv_file(release), *uv_tables),
        release.name if is_local else "",
        _required_python(project),
    )


def _from_project(release: Path, project: Table) -> Spec | None:
    if not isinstance(table(project, "project").get("dependencies", []), list):
        found = f"dependencies in {PROJECT} are not a list"
        raise ReleaseError(found, 'write them like ["django", "uvicorn"] and commit it')
    dependencies = tuple(map(str, listed(table(project, "project"), "dependencies")))
    if not dependencies:
        return None
    origins = _origins(table(project, "tool", "uv", "sources"))
    is_local = any(map(requirements.is_local, dependencies)) or any(set(LOCAL_ORIGINS) & set(each) for each in origins)
    return Spec(
        PROJECT,
        (*_contents(release, [PROJECT]), *_uv_file(release)),
        release.name if is_local else "",
        _required_python(project),
        dependencies,
    )


def _is_elsewhere(source: Table) -> bool:
    """Return whether a locked package is in the repository, and not the project itself, which is not installed."""
    return any(source.get(kind, ".") != "." for kind in LOCAL_SOURCES)


def _origins(sources: Table) -> Iterator[Table]:
    for origin in sources.values():
        yield from (each for each in (origin if isinstance(origin, list) else [origin]) if isinstance(each, dict))


def _required_python(project: Table) -> str:
    return str(table(project, "project").get("requires-python", ""))


def _contents(release: Path, names: list[str]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, (release / name).read_bytes()) for name in names)


def _all_lines(files: tuple[tuple[str, bytes], ...]) -> Iterator[str]:
    for _name, content in files:
        yield from requirements.lines(requirements.decode(content))


def _uv_file(release: Path) -> tuple[tuple[str, bytes], ...]:
    """Return the release's own settings of uv, whatever decides: an index, a constraint, an override."""
    content = (release / UV_SETTINGS).read_bytes() if (release / UV_SETTINGS).is_file() else b""
    return ((UV_SETTINGS, content),) if content else ()
