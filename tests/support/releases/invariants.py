# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true of a project at any time, and after any run that came to its end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history as log

from tests.support.releases.site import Site
from tests.support.releases.upstream import git

EXECUTABLE = 0o111


def torn(release: Path) -> list[str]:
    """Name the files of a release that are not as its commit has them."""
    return [path for mode, sha, path in listed(release) if found(release / path, len(sha)) != (mode, sha)]


def listed(release: Path) -> Iterator[tuple[str, str, str]]:
    """The mode, the hash and the path of each file in the commit that is checked out."""
    for line in git(release, "ls-tree", "-r", "-z", "HEAD").split("\0"):
        if line:
            about, path = line.split("\t", 1)
            mode, _, sha = about.split(" ")
            yield mode, sha, path


def found(path: Path, digits: int) -> tuple[str, str] | None:
    """The mode and the hash of a file on disk, as git counts them; None when it is not there."""
    if path.is_symlink():
        return "120000", blob(os.fsencode(path.readlink()), digits)
    if not path.is_file():
        return None
    return "100755" if path.stat().st_mode & EXECUTABLE else "100644", blob(path.read_bytes(), digits)


def blob(content: bytes, digits: int) -> str:
    """The name git gives to a content: of 40 digits with SHA-1, of 64 with SHA-256."""
    kind = {40: "sha1", 64: "sha256"}[digits]
    return hashlib.new(kind, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def proven(site: Site) -> list[str]:
    """The commits of the journal that went live and stayed, oldest first."""
    entries = log.read_journal(site.paths.journal)
    return [entry["commit"] for entry in entries if entry["outcome"] in {"live", "recovered"}]


def assert_agreement(site: Site, foreign: int = 0) -> None:
    """The log, the journal, `current`, the clone and the pins tell one story, and nothing is held or left.

    The first `foreign` lines of the log are another tool's.
    """
    journaled, logged = proven(site), site.logged[foreign:]
    assert len(journaled) == len(logged), (journaled, logged)
    assert all(log.same(line, commit) for line, commit in zip(logged, journaled, strict=True))
    answered = site.info()
    assert (answered["locked_by"], answered["interrupted"], answered["drift"]) == (None, None, []), answered
    assert not site.paths.state.exists()
    pins = git(site.paths.source, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/deploys").split()
    assert set(journaled) <= set(pins)
    assert left_over(site) == []


def left_over(site: Site) -> list[str]:
    """Locks and half-made things that no run will ever need."""
    locks = [*(site.paths.source / ".git").rglob("*.lock")]
    return [str(path) for path in (*locks, *site.path.glob(".*.new"), *site.path.glob(".current.back"))]
