# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Finds requirements that a release declares in forms that are not installed, so that they are not missed in silence.

docs/decisions/0011 has the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .spec import LOCK, PROJECT, Spec, listed, table
from .toml import Table, TomlReader

AS_PROJECT = "add a requirements.txt with the line `.`, which installs the project with its dependencies"
DYNAMIC = "dependencies that only a build of the project shows (dynamic)"
# Files that say what to install, beside a pyproject.toml or without one.
CERTAIN = {
    "Pipfile.lock": "write them to a requirements.txt: pipenv requirements > requirements.txt",
    "pylock.toml": "write them to a requirements.txt",
    "environment.yml": "list the packages from PyPI in a requirements.txt",
    "environment.yaml": "list the packages from PyPI in a requirements.txt",
}
# Files that often do.
LIKELY = {
    "setup.cfg": AS_PROJECT,
    "setup.py": AS_PROJECT,
    "requirements.in": "compile it: uv pip compile requirements.in -o requirements.txt",
    "requirements": "add a requirements.txt that includes a file of this directory (-r requirements/base.txt)",
    LOCK: f"commit the {PROJECT} that it belongs to",
}
LOCKS = {
    "poetry.lock": "poetry export -o requirements.txt",
    "pdm.lock": "pdm export -o requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "pylock.toml": "uv export -o requirements.txt",
}


@dataclass(frozen=True)
class Unread:
    """Requirements that are not installed. `certain` is False where the file may be there for another reason."""

    what: str
    remedy: str
    certain: bool


def find_unread(release: Path, spec: Spec | None, read_toml: TomlReader) -> Unread | None:
    """Return the requirements that `release` declares and `spec`, its environment, leaves out; None if there are none.

    A lock file of another tool counts where the versions are not taken from a lock.
    """
    if spec is not None:
        return _unread_lock(release) if spec.lead == PROJECT else None
    found = _unread_project(release, read_toml) or _unread_file(release)
    return replace(found, remedy=f"{found.remedy}; or install them in pre_deploy") if found else None


def _unread_lock(release: Path) -> Unread | None:
    for name, command in LOCKS.items():
        if (release / name).is_file():
            what = f"the versions in {name} are not used: the dependencies in {PROJECT} decide"
            return Unread(
                what, f"to keep these versions, commit a requirements.txt ({command}) or a {LOCK}", certain=False
            )
    return None


def _unread_project(release: Path, read_toml: TomlReader) -> Unread | None:
    if (release / PROJECT).is_file():
        project = read_toml(release / PROJECT)
        if "dependencies" in listed(table(project, "project"), "dynamic"):
            return Unread(
                f"{PROJECT} has {DYNAMIC}: they are not installed", f"{AS_PROJECT}, or commit a {LOCK}", certain=True
            )
        if set(table(project, "tool", "poetry", "dependencies")) - {"python"}:
            remedy = (
                "commit a requirements.txt (poetry export -o requirements.txt), or list them as [project] dependencies"
            )
            return Unread(f"the Poetry dependencies in {PROJECT} are not installed", remedy, certain=True)
    if (release / "Pipfile").is_file() and _packages(read_toml(release / "Pipfile")):
        return Unread("the packages in Pipfile are not installed", CERTAIN["Pipfile.lock"], certain=True)
    return None


def _packages(pipfile: Table) -> Table:
    return table(pipfile, "packages")


def _unread_file(release: Path) -> Unread | None:
    for files, certain in ((CERTAIN, True), (LIKELY, False)):
        for name, remedy in files.items():
            if (release / name).exists():
                return Unread(f"what {name} requires is not installed", remedy, certain)
    return None
