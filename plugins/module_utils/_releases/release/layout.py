# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a project's directories and its clone lack: decisions only, which setup.py carries out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..errors import ReleaseError
from ..options import Options
from ..system.redaction import hide_secrets


@dataclass(frozen=True)
class MakeDirectory:
    """Make `path`, and its parents."""

    path: Path


@dataclass(frozen=True)
class Clone:
    """Clone `url` to `source`."""

    url: str


@dataclass(frozen=True)
class SetUrl:
    """Point the clone's origin at `url`."""

    url: str


@dataclass(frozen=True)
class SetSshCommand:
    """Set `command` as the ssh of the clone; an empty one leaves it to the user's own settings."""

    command: str


@dataclass(frozen=True)
class MoveToShared:
    """Move `source/<entry>` to `shared/<entry>` and leave a link, so that both are the same files."""

    entry: str


Step = Union[MakeDirectory, Clone, SetUrl, SetSshCommand, MoveToShared]


@dataclass(frozen=True)
class Layout:
    """What was found under a project's path.

    `present` are the existing paths among those that matter, `url` is the clone's origin (None: no clone),
    `ssh_command` the ssh that the clone has set for itself, `occupied` means that `source` is something other than a
    clone, `uploads` are the shared paths which are real directories of `source` with no tracked file.
    """

    present: frozenset[Path] = frozenset()
    url: str | None = None
    ssh_command: str = ""
    occupied: bool = False
    uploads: frozenset[str] = frozenset()


def directories(options: Options) -> list[Path]:
    """Return the directories a project consists of, parents first."""
    paths = options.paths
    own = [options.path, paths.shared, paths.shared / "logs", paths.shared / "pids", paths.envs]
    return own if options.strategy == "in_place" else [*own, paths.releases]


def plan_layout(found: Layout, options: Options) -> list[Step]:
    """Decide what makes `found` a project that can be deployed to. Changes nothing.

    Raises ReleaseError when `source` is taken by something else or cannot be made without `repo`.
    """
    made: list[Step] = [MakeDirectory(path) for path in directories(options) if path not in found.present]
    return [*made, *_plan_clone(found, options), *_plan_moves(found, options)]


def _plan_clone(found: Layout, options: Options) -> list[Step]:
    source = options.paths.source
    if found.occupied:
        raise ReleaseError(f"{source} is not a git clone", "move it away, or set another path")
    if found.url is None and options.repo is None:
        raise ReleaseError(f"there is no clone at {source} and the option repo is not set", "set repo")
    if found.url is None:
        return [Clone(str(options.repo))]
    # The key first: the new address may need it.
    ssh = options.ssh_command is not None and options.ssh_command != found.ssh_command
    steps: list[Step] = [SetSshCommand(str(options.ssh_command))] if ssh else []
    return [*steps, *([SetUrl(options.repo)] if options.repo not in {None, found.url} and options.repo else [])]


def _plan_moves(found: Layout, options: Options) -> list[Step]:
    if options.strategy == "in_place":
        return []
    shared = options.paths.shared
    return [
        MoveToShared(entry)
        for entry in options.shared_paths
        if entry in found.uploads and shared / entry not in found.present
    ]


def describe(step: Step) -> str:
    """Describe a step in one line."""
    if isinstance(step, MakeDirectory):
        return f"create the directory {step.path}"
    if isinstance(step, Clone):
        return f"clone {hide_secrets(step.url)}"
    if isinstance(step, SetUrl):
        return f"point the clone at {hide_secrets(step.url)}"
    if isinstance(step, SetSshCommand):
        return f"let the clone use {step.command or 'the ssh of the user'}"
    return f"move {step.entry} from source to shared and link it back"
