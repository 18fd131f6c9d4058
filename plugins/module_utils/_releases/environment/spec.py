# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a release asks of its Python environment, read from its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError

LOCK = "uv.lock"
REQUIREMENTS = "requirements.txt"
PROJECT = "pyproject.toml"
UV_SETTINGS = "uv.toml"

INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)")
# A requirement that is a directory or a file of the release, and not a name on an index.
LOCAL_REQUIREMENT = re.compile(
    r"^(?:-e|--editable)\b|^[./]|^file:|@\s*(?:file:|\.{0,2}/)|^[\w.-]+/[^\s:]*(?:\s|$)|^[^\s:]+\.(?:whl|zip|tar\.gz)(?:\s|$)"
)
LOCAL_LOCKED = re.compile(r'^source = \{ (?:editable|directory|path|virtual) = "(?!\.")', re.MULTILINE)
LOCAL_PROJECT = re.compile(r"\{[^}\n]*\b(?:path|workspace)\s*=|@\s*file:")
PROJECT_TABLE = re.compile(r"^\[project\][ \t]*(?:#.*)?$(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
UV_TABLES = re.compile(r"^\[\[?tool\.uv\b.*?(?=^\[(?!\[?tool\.uv\b)|\Z)", re.MULTILINE | re.DOTALL)
DEPENDENCIES = re.compile(r"^dependencies\s*=\s*\[(?!\s*\])", re.MULTILINE)


@dataclass(frozen=True)
class Spec:
    """What a release needs from its Python environment.

    `lead` is the file that decides (uv.lock, requirements.txt or pyproject.toml), `files` are the names and contents of
    all that have a say. `tied_to` names the release when a requirement is part of it: no other can use the environment.
    """

    lead: str
    files: tuple[tuple[str, bytes], ...]
    tied_to: str = ""


def plan_environment(release: Path) -> Spec | None:
    """Find out which environment `release` asks for; None when it asks for none.

    Raises ReleaseError when a requirements file includes one that is missing or outside of the release.
    """
    if (release / LOCK).is_file() and (release / PROJECT).is_file():
        return _spec(release, LOCK, [LOCK, PROJECT])
    if (release / REQUIREMENTS).is_file():
        return _spec(release, REQUIREMENTS, _included(release, REQUIREMENTS))
    if (release / PROJECT).is_file() and has_dependencies(_text(release / PROJECT)):
        return _spec(release, PROJECT, [PROJECT])
    return None


def has_dependencies(pyproject: str) -> bool:
    """Tell whether `[project]` names dependencies. No TOML reader is at hand on Python 3.9 and 3.10."""
    table = PROJECT_TABLE.search(pyproject)
    return table is not None and DEPENDENCIES.search(table[1]) is not None


def requirement_lines(text: str) -> list[str]:
    """Split a requirements file as pip does: lines joined at a backslash, comments and blank lines gone."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def is_local(lead: str, text: str) -> bool:
    """Tell whether a requirement in `text`, a file of the kind of `lead`, is part of the release itself."""
    if lead == LOCK:
        return LOCAL_LOCKED.search(text) is not None
    if lead == PROJECT:
        return LOCAL_PROJECT.search(text) is not None
    return any(LOCAL_REQUIREMENT.search(line) for line in requirement_lines(text))


def digest(spec: Spec) -> list[tuple[str, str]]:
    """Name each file with the hash of its content."""
    return [(name, hashlib.sha256(content).hexdigest()) for name, content in spec.files]


def _spec(release: Path, lead: str, names: list[str]) -> Spec:
    files = tuple((name, (release / name).read_bytes()) for name in names)
    judged = files[:1] if lead == LOCK else files
    local = any(is_local(lead, content.decode("utf-8-sig", "replace")) for _lead, content in judged)
    return Spec(lead, (*files, *_uv_settings(release, names)), release.name if local else "")


def _uv_settings(release: Path, names: list[str]) -> tuple[tuple[str, bytes], ...]:
    """Find what the release says to uv, whatever leads: an index, a constraint, an override."""
    own, project = release / UV_SETTINGS, release / PROJECT
    inside = _text(project) if PROJECT not in names and project.is_file() else ""
    tables = "".join(UV_TABLES.findall(inside)).encode()
    whole = own.read_bytes() if own.is_file() else b""
    return tuple((name, content) for name, content in ((UV_SETTINGS, whole), (PROJECT, tables)) if content)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace")


def _included(release: Path, first: str) -> list[str]:
    """List `first` and every file that it includes, directly or not, by their names inside of the release."""
    found = [first]
    for name in found:  # grows while it is read
        found += [other for other in dict.fromkeys(_includes(release, name)) if other not in found]
    return found


def _includes(release: Path, name: str) -> Iterator[str]:
    for line in requirement_lines(_text(release / name)):
        include = INCLUDE.match(line)
        if include and "://" not in include[1]:
            yield _inside(release, name, include[1].strip("\"'"))


def _inside(release: Path, includer: str, target: str) -> str:
    root = release.resolve()
    path = (root / includer).parent.joinpath(target).resolve()
    if root not in path.parents:
        raise ReleaseError(
            f"{includer} includes {target}, which is outside of the release", "move it into the repository"
        )
    if not path.is_file():
        raise ReleaseError(f"{includer} includes {target}, which is not there", "commit it, or mend the line")
    return str(path.relative_to(root))
