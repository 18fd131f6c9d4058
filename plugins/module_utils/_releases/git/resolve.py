# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Which commit is meant, and a scratch repository to look it up without leaving a trace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError
from ..system.run import Run
from . import deploy_key, refs
from .client import Git


@dataclass(frozen=True)
class Resolved:
    """A full sha and the ref by which it was asked for."""

    commit: str
    ref: str


def resolve(git: Git, ref: str | None, commit: str | None, remote: str = "origin") -> Resolved:
    """Return the commit that `ref` means, fetching into `git` unless a full sha is already there.

    `commit` is the full sha that `ref` was found to mean earlier. Without either, the newest tag is meant.
    Raises ReleaseError when the remote cannot be asked, or the ref names no single commit.
    """
    known = commit or (ref if refs.is_full(ref) else None)
    if known and git.rev_parse(known):
        return Resolved(known, ref or known)
    git.fetch(remote)
    found = git.refs()
    chosen = refs.Chosen(known, ref or known) if known else refs.choose(ref, found)
    if known and not git.rev_parse(known):
        git.fetch_commit(known, remote)
    resolved = git.rev_parse(chosen.revision)
    if resolved is None:
        raise ReleaseError(f"ref {chosen.name!r} names no single commit", refs.describe(found))
    return Resolved(resolved, chosen.name)


@contextmanager
def scratch_repository(run: Run, source: Git, repo: str | None, project: str) -> Iterator[tuple[Git, str]]:
    """Yield a repository to fetch into that is removed afterwards, and the address to fetch from.

    It uses the objects of the clone `source`, so that only new ones are fetched. `repo` is the wanted address, None for
    the clone's own. Raises ReleaseError when there is neither.
    """
    cloned = source.directory.is_dir() and source.is_repository()
    address = repo or (source.url() if cloned else None)
    if address is None:
        raise ReleaseError(f"there is no clone at {source.directory} and the option repo is not set", "set repo")
    with tempfile.TemporaryDirectory(prefix="releases-") as directory:
        git = Git(run, Path(directory))
        if cloned:
            git.init(source.object_format(), source.directory / ".git/objects")
            if ssh_command := source.ssh_command():
                git.set_ssh_command(ssh_command)
        else:
            # Only the git server knows the kind of its hashes, and a clone takes it over.
            deploy_key.clone(git, run, address, project, bare=True)
        yield git, address
