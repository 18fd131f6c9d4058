# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..model import ReleaseError, Wanted
from ..project import Project
from ..system.run import Run
from . import refs
from .client import Git


@dataclass(frozen=True)
class Resolved:
    """A full sha and the name it was asked for by."""

    commit: str
    ref: str


def resolve(wanted: Wanted, git: Git, remote: str = "origin") -> Resolved:
    """Say which commit is meant, fetching into `git` unless a full sha is already there.

    Raises ReleaseError when the remote cannot be asked, or no one commit goes by that name.
    """
    known = wanted.commit or (wanted.ref if refs.is_full(wanted.ref) else None)
    if known and git.full(known):
        return Resolved(known, wanted.ref or known)
    git.fetch(remote)
    found = git.refs()
    chosen = refs.Chosen(known, wanted.ref or known) if known else refs.choose(wanted.ref, found)
    if known and not git.full(known):
        git.fetch_commit(known, remote)
    commit = git.full(chosen.revision)
    if commit is None:
        raise ReleaseError(f"ref {chosen.name!r} names no single commit", refs.describe(found))
    return Resolved(commit, chosen.name)


@contextmanager
def throw_away(project: Project) -> Iterator[tuple[Git, str]]:
    """Give a repository to fetch into that leaves no trace in the project, and the remote's address.

    It borrows the objects of the clone, so that only what is new is fetched.
    """
    source = project.git
    cloned = project.tree.source.is_dir() and source.is_repository()
    address = project.wanted.repo or (source.url() if cloned else None)
    if address is None:
        raise ReleaseError(f"there is no clone at {project.tree.source} and the option repo is not set", "give repo")
    with tempfile.TemporaryDirectory(prefix="releases-") as directory:
        git = _borrowing(project.run, Path(directory), project.tree.source / ".git/objects" if cloned else None)
        yield git, address


def _borrowing(run: Run, directory: Path, objects: Path | None) -> Git:
    git = Git(run, directory)
    git.init_borrowing(objects)
    return git
