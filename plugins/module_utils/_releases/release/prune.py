# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Which releases and environments go, and how they are removed."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..configuration import store
from ..errors import as_failure
from ..model import ProjectPaths
from ..project import Project
from ..records import history
from ..system import files, process

RELEASE_NAME = re.compile(r"[0-9a-f]{12}")


def to_prune(ages: Mapping[str, float], lines: Sequence[str], keep: int, protected: Iterable[str]) -> list[str]:
    """Choose the releases (by name) to remove, so that the `keep` newest by the log remain.

    Releases that were never live count as older than all others, sorted by age (mtime, seconds). `protected` stay.
    """
    newest = sorted(ages, key=lambda name: (_last_deployed(name, lines), ages[name]), reverse=True)
    kept = {*newest[:keep], *protected}
    return [name for name in newest if name not in kept]


def _last_deployed(name: str, lines: Sequence[str]) -> int:
    return max((index for index, line in enumerate(lines) if history.same(line, name)), default=-1)


def release_ages(paths: ProjectPaths) -> dict[str, float]:
    """Return the complete releases by name with their mtime in seconds since the epoch."""
    with suppress(FileNotFoundError):
        found = [path for path in paths.releases.iterdir() if RELEASE_NAME.fullmatch(path.name)]
        return {path.name: path.stat().st_mtime for path in found if (path / ".git").exists()}
    return {}


def environment_links(paths: ProjectPaths) -> list[str]:
    """Return the targets of the `.venv` links of the releases and of `source`."""
    homes = [paths.source, *(paths.releases / name for name in release_ages(paths))]
    return [str((home / ".venv").readlink()) for home in homes if (home / ".venv").is_symlink()]


def move_aside(paths: ProjectPaths, release: Path) -> bool:
    """Move whatever has the name of a release to the discarded ones. Return whether there was anything."""
    if not os.path.lexists(release):
        return False
    _discard(paths, release)
    return True


def delete_releases(paths: ProjectPaths, names: Collection[str]) -> None:
    """Remove releases, each renamed first: a half-removed one never has a release's name."""
    if not names:
        return
    for name in names:
        _discard(paths, paths.releases / name)
    files.remove_tree(paths.discarded)


def discard_unfinished(paths: ProjectPaths) -> None:
    """Move releases that were being built to the discarded ones: a part of them may not be ours to remove."""
    if os.path.lexists(paths.unfinished):
        _discard(paths, paths.unfinished)


def empty_discarded(project: Project) -> None:
    """Remove the discarded releases. What cannot be removed, such as files of root, is a warning."""
    try:
        files.remove_tree(project.paths.discarded)
    except OSError as reason:
        remedy = f"remove {project.paths.discarded} as root"
        project.report.warnings.append(f"old releases were not all removed: {as_failure(reason).msg}; {remedy}")


def _discard(paths: ProjectPaths, release: Path) -> None:
    # The name of an earlier one that could not be removed may be taken.
    paths.discarded.mkdir(exist_ok=True)
    release.rename(paths.discarded / f"{release.name}.{secrets.token_hex(4)}")


def prune(project: Project, protected: set[str]) -> None:
    """Remove the releases and environments that are no longer needed and that no process works in."""
    # Most runs remove nothing, and these take time to load.
    from ..environment.build import stale  # noqa: PLC0415
    from ..environment.installer import remove as remove_environment  # noqa: PLC0415

    paths = project.paths
    lines = history.read_deploys(paths.deploys)
    old = to_prune(release_ages(paths), lines, project.options.keep, protected)
    delete_releases(paths, [name for name in old if not process.in_use((paths.releases / name).resolve())])
    project.git.prune_worktrees()
    for name in stale(files.list_directory(paths.envs), environment_links(paths)):
        remove_environment(paths.envs / name)
    store.prune(paths, [paths.source, *(paths.releases / name for name in release_ages(paths))])
    project.git.maintain()
