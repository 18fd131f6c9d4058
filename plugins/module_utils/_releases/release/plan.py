# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..model import ReleaseError, Wanted
from ..records import history as log

# How much of a commit somebody has to name.
SHORTEST = 4
MAX_LISTED = 20


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
class MoveToShared:
    """Move `source/<entry>` to `shared/<entry>` and leave a link, so that both are the same files."""

    entry: str


Step = Union[MakeDirectory, Clone, SetUrl, MoveToShared]


@dataclass(frozen=True)
class Layout:
    """What is there under a project's path.

    `present` are the existing paths among those that matter, `url` is the clone's origin (None: no clone),
    `occupied` says that `source` is something else than a clone, `uploads` are the shared paths which are
    real directories of `source` with no tracked file.
    """

    present: frozenset[Path] = frozenset()
    url: str | None = None
    occupied: bool = False
    uploads: frozenset[str] = frozenset()


def directories(wanted: Wanted) -> list[Path]:
    """Return the directories a project consists of, parents first."""
    tree = wanted.tree
    own = [wanted.path, tree.shared, tree.shared / "logs", tree.shared / "pids", tree.envs]
    return own if wanted.strategy == "in_place" else [*own, tree.releases]


def lay_out(found: Layout, wanted: Wanted) -> list[Step]:
    """Say what would make `found` a project that can be deployed to. Touches nothing.

    Raises ReleaseError when `source` is taken by something else or cannot be made without `repo`.
    """
    made: list[Step] = [MakeDirectory(path) for path in directories(wanted) if path not in found.present]
    return [*made, *_clone(found, wanted), *_share(found, wanted)]


def _clone(found: Layout, wanted: Wanted) -> list[Step]:
    source = wanted.tree.source
    if found.occupied:
        raise ReleaseError(f"{source} is not a git clone", "move it away, or give another path")
    if found.url is None and wanted.repo is None:
        raise ReleaseError(f"there is no clone at {source} and the option repo is not set", "give repo")
    if found.url is None:
        return [Clone(str(wanted.repo))]
    return [SetUrl(wanted.repo)] if wanted.repo not in {None, found.url} and wanted.repo else []


def _share(found: Layout, wanted: Wanted) -> list[Step]:
    if wanted.strategy == "in_place":
        return []
    shared = wanted.tree.shared
    return [
        MoveToShared(entry)
        for entry in wanted.shared_paths
        if entry in found.uploads and shared / entry not in found.present
    ]


def describe(step: Step) -> str:
    """Say in one line what a step does."""
    if isinstance(step, MakeDirectory):
        return f"make the directory {step.path}"
    if isinstance(step, Clone):
        return f"clone {step.url}"
    if isinstance(step, SetUrl):
        return f"point the clone at {step.url}"
    return f"move {step.entry} from source to shared and link it back"


def steps_back(lines: Sequence[str], live: str | None, steps: int) -> str:
    """Choose the commit `steps` lines before the live one; neighbours with one commit are one line.

    Raises ReleaseError when the log does not reach that far.
    """
    known = log.without_repeats(lines)
    index = _position(known, live) - steps
    if index < 0:
        raise ReleaseError(
            f"cannot go back {steps} step{'' if steps == 1 else 's'}: the log does not reach that far",
            listed(known, live),
        )
    return known[index]


def logged(lines: Sequence[str], commit: str) -> str:
    """Choose the line of the log that means `commit`.

    Raises ReleaseError when it was never live here, is too short, or could mean several.
    """
    if len(commit) < SHORTEST:
        raise ReleaseError(f"to is {commit!r}", f"give at least {SHORTEST} characters of a commit")
    found = log.without_repeats(sorted(line for line in lines if log.same(line, commit.lower())))
    if not found:
        raise ReleaseError(f"{commit} has never been live here", listed(log.without_repeats(lines)))
    if len(found) > 1:
        raise ReleaseError(f"{commit} could be any of {' '.join(found)}", "give more of it")
    return found[0]


def listed(lines: Sequence[str], live: str | None = None) -> str:
    """Return the newest lines of the log for a message, oldest first as in the file, with the live one in brackets."""
    if not lines:
        return "the log is empty"
    at = _position(lines, live)
    shown = [f"[{line}]" if index == at else line for index, line in enumerate(lines)]
    older = "... " if len(shown) > MAX_LISTED else ""
    return f"the log, oldest first: {older}{' '.join(shown[-MAX_LISTED:])}"


def forward_notice(lines: Sequence[str], live: str | None) -> str:
    """Return what to know after a revert that went forward, which the second of two in a row does."""
    return (
        "this goes forward again, to what the last revert left: a revert is itself a line of the log. "
        f"To go further back, name the commit with to.\n{listed(log.without_repeats(lines), live)}"
    )


def _position(known: Sequence[str], live: str | None) -> int:
    """Return where the live commit is in the log; one past its end when it is not there."""
    for index in reversed(range(len(known))):
        if live and log.same(known[index], live):
            return index
    return len(known)


def to_prune(ages: Mapping[str, float], lines: Sequence[str], keep: int, untouchable: Iterable[str]) -> list[str]:
    """Choose the releases (by name) to remove, so that the `keep` newest by the log remain.

    What was never live counts as older than all that was, by its age (mtime, seconds). `untouchable` stay.
    """
    newest = sorted(ages, key=lambda name: (_last_deployed(name, lines), ages[name]), reverse=True)
    kept = {*newest[:keep], *untouchable}
    return [name for name in newest if name not in kept]


def _last_deployed(name: str, lines: Sequence[str]) -> int:
    return max((index for index, line in enumerate(lines) if log.same(line, name)), default=-1)
