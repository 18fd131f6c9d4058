# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path


class ReleaseError(Exception):
    """Raised when what was asked cannot be done.

    `msg` says what was asked and found, `hint` what to do, `detail` is the tail of some output (many lines).
    """

    def __init__(self, msg: str, hint: str = "", detail: str = "") -> None:
        super().__init__(msg)
        self.msg = msg
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.msg}. {self.hint[0].upper()}{self.hint[1:]}" if self.hint else self.msg


REMEDIES = {
    errno.ENOSPC: "free some space or inodes on that disk, then run it again",
    errno.EDQUOT: "free some of the user's quota, then run it again",
    errno.EROFS: "mount it writable, then run it again",
    errno.EACCES: "let the deploy user own the project's directory (chown -R), or deploy as its owner",
    errno.EPERM: "let the deploy user own the project's directory (chown -R), or deploy as its owner",
}


def as_failure(reason: ReleaseError | OSError) -> ReleaseError:
    """Tell what the system refused as an error with a remedy."""
    if isinstance(reason, ReleaseError):
        return reason
    where = f"{reason.filename}: " if reason.filename else ""
    return ReleaseError(f"{where}{reason.strerror or reason}", REMEDIES.get(reason.errno or 0, ""))


@dataclass(frozen=True)
class Tree:
    """Where things are under a project's `path`."""

    path: Path

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def releases(self) -> Path:
        return self.path / "releases"

    @property
    def unfinished(self) -> Path:
        """Releases that are being made; on the same file system, so that a rename finishes one."""
        return self.releases / ".new"

    @property
    def discarded(self) -> Path:
        """Releases that are being removed."""
        return self.releases / ".old"

    @property
    def current(self) -> Path:
        return self.path / "current"

    @property
    def way_back(self) -> Path:
        """What `current` was, ready to be renamed to it, while a release is live that is not proven."""
        return self.path / ".current.back"

    @property
    def shared(self) -> Path:
        return self.path / "shared"

    @property
    def hook_log(self) -> Path:
        return self.shared / "logs" / "deploy.log"

    @property
    def envs(self) -> Path:
        return self.path / "envs"

    @property
    def submodules(self) -> Path:
        """Clones of the submodules, one for each address."""
        return self.path / ".submodules"

    @property
    def deploys(self) -> Path:
        return self.path / ".deploys"

    @property
    def journal(self) -> Path:
        return self.path / ".deploys.jsonl"

    @property
    def lock(self) -> Path:
        return self.path / ".deploy.lock"

    @property
    def state(self) -> Path:
        return self.path / ".deploy.state"

    def release(self, commit: str) -> Path:
        """Where the release of a full sha lives under the strategy `releases`."""
        return self.releases / commit[:12]


@dataclass(frozen=True)
class Wanted:
    """What one run was asked for: the arguments of the module, checked."""

    name: str
    path: Path
    state: str = "deployed"
    repo: str | None = None
    ref: str | None = None
    commit: str | None = None
    strategy: str = "releases"
    keep: int = 5
    shared_paths: tuple[str, ...] = ("public/system",)
    pre_deploy: str | None = None
    post_deploy: str | None = None
    test: str | None = None
    restart_file: str = "public/system/restart"
    status_file: Path | None = None
    reload_timeout: float | None = None
    hook_timeout: float = 3600.0
    python: str = "python3"
    uv: str | None = None
    index: str | None = None
    force: bool = False
    steps: int = 1
    to: str | None = None
    by: str = ""
    lock_wait: float = 0.0

    @property
    def tree(self) -> Tree:
        return Tree(self.path)


@dataclass(frozen=True)
class Commit:
    """A commit as people see it."""

    sha: str
    subject: str


@dataclass(frozen=True)
class Live:
    """What `current` stands for. All None when nothing has been deployed.

    `link` is the text of the symlink, `release` the real directory, `commit` its full sha,
    `source_head` the HEAD of `source`, which an in-place deploy would move.
    """

    link: str | None = None
    release: Path | None = None
    commit: str | None = None
    source_head: str | None = None


@dataclass(frozen=True)
class Target:
    """What is to become live: a full sha, its directory, and what it was called when it was asked for."""

    commit: str
    release: Path
    ref: str
