# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The symlink `current`: reading it, and switching it atomically."""

from __future__ import annotations

import os
from pathlib import Path

from ..configuration import store
from ..errors import ReleaseError
from ..git.client import Git
from ..model import Current, ProjectPaths, Target
from ..project import Project
from ..records import state
from ..system import links


def read(paths: ProjectPaths, git: Git) -> Current:
    """Return what `current` points at.

    Raises ReleaseError when `current` is not a symlink: it could not be replaced atomically.
    """
    head = git.head() if paths.source.is_dir() else None
    if not os.path.lexists(paths.current):
        return Current(source_head=head, configuration=store.live_id(paths, None))
    if not paths.current.is_symlink():
        raise ReleaseError(f"{paths.current} is not a symlink", "move it away: a deploy creates it as a symlink")
    # Unlike Path.resolve, it also returns where a link that leads to itself is: the next switch replaces that.
    release = Path(os.path.realpath(paths.current))
    commit = git.at(release).head() if release.is_dir() else None
    return Current(
        str(paths.current.readlink()),
        release,
        commit,
        head,
        store.live_id(paths, release),
        links.read(release / ".venv"),
    )


def has_lost_its_python(release: Path) -> bool:
    """Return whether the release's environment is gone, or its interpreter, as after an upgrade of the system."""
    environment = release / ".venv"
    return environment.is_symlink() and not (environment / "bin" / "python").exists()


def switch(paths: ProjectPaths, link: str | None) -> None:
    """Make `current` a symlink with the text `link`, atomically; remove it where that is None."""
    links.replace(paths.current, link)


def require(paths: ProjectPaths, target: Target) -> None:
    """Raise ReleaseError when a hook has made `current` something other than the target."""
    if not links.points_to(paths.current, link_text(paths, target.release)):
        found = f"it points at {paths.current.readlink()}" if paths.current.is_symlink() else "it is no longer a link"
        raise ReleaseError(f"current was changed during the deploy: {found}", "leave current alone in hooks")


def link_text(paths: ProjectPaths, release: Path) -> str:
    """Return the text of `current` for a release: relative, so that the project may be mounted elsewhere."""
    return os.path.relpath(release, paths.path)


def protected(project: Project) -> set[str]:
    """Return the names of releases that are live, or would be again when an interrupted run is undone."""
    interrupted = state.read(project.paths.state)
    links = (read(project.paths, project.git).link, interrupted.link if interrupted else None)
    return {Path(link).name for link in links if link}


def move_source_head(project: Project, commit: str) -> None:
    """Move the HEAD of the clone to the live commit; its files stay as they are."""
    if not project.in_place:
        project.git.soft_reset(commit)
