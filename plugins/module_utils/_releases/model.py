# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What the module deals with: where a project's files are, a commit, what is live, what is to become live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProjectPaths:
    """Where a project's files are under its `path`."""

    path: Path

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def releases(self) -> Path:
        return self.path / "releases"

    @property
    def unfinished(self) -> Path:
        """Releases that are being built; on the same file system, so that a rename completes one."""
        return self.releases / ".new"

    @property
    def discarded(self) -> Path:
        """Releases that are being removed."""
        return self.releases / ".old"

    @property
    def current(self) -> Path:
        return self.path / "current"

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
    def configs(self) -> Path:
        """Configurations: procmon's settings and the app's variables, which travel with releases."""
        return self.path / "configs"

    @property
    def procmon_toml(self) -> Path:
        return self.path / "procmon.toml"

    @property
    def procmon_env(self) -> Path:
        return self.path / "procmon.env"

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

    @property
    def progress(self) -> Path:
        return self.path / ".deploy.progress"

    def release(self, commit: str) -> Path:
        """Return the directory of a full sha's release, with the strategy `releases`."""
        return self.releases / commit[:12]


@dataclass(frozen=True)
class Commit:
    """A commit: its full sha and the first line of its message."""

    sha: str
    subject: str


@dataclass(frozen=True)
class Current:
    """What `current` points at. All None when nothing has been deployed.

    `link` is the text of the symlink, `release` the real directory, `commit` its full sha,
    `source_head` the HEAD of `source`, which an in-place deploy would move. `configuration` is the name of its
    configuration, `environment` the text of its `.venv`.
    """

    link: str | None = None
    release: Path | None = None
    commit: str | None = None
    source_head: str | None = None
    configuration: str | None = None
    environment: str | None = None


@dataclass(frozen=True)
class Target:
    """What is to become live: a full sha, its directory, and the ref by which it was asked for."""

    commit: str
    release: Path
    ref: str
