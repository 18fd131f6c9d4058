# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a run, as it happens. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .outcome import Commit, HostResult, Phase


@dataclass(frozen=True)
class Event:
    """Something that happened in a run."""


@dataclass(frozen=True)
class HostEvent(Event):
    """Something that happened on a server: `host` is the inventory's name of one project there."""

    host: str
    project: str
    server: str


@dataclass(frozen=True)
class PhaseStarted(HostEvent):
    """A step of a deploy has begun."""

    phase: str


@dataclass(frozen=True)
class PhaseEnded(HostEvent):
    """A step of a deploy has ended."""

    phase: Phase


@dataclass(frozen=True)
class HookOutput(HostEvent):
    """A hook has written something: whole lines or parts of one."""

    hook: str
    text: str


@dataclass(frozen=True)
class CommitsFound(HostEvent):
    """It is known what goes live.

    `commits` has the newest of the `count` that come, `dropped` is how many go, `settings` are the names of those that
    change.
    """

    commit: str
    previous: str | None
    commits: tuple[Commit, ...]
    count: int
    dropped: int
    settings: tuple[str, ...]


@dataclass(frozen=True)
class TaskEnded(HostEvent):
    """A task of Ansible has ended: as ok, failed, skipped, unreachable, or ignored, a failure that is expected."""

    task: str
    outcome: str
    changed: bool


@dataclass(frozen=True)
class HostEnded(HostEvent):
    """A server has ended."""

    result: HostResult


@dataclass(frozen=True)
class Output(Event):
    """Ansible has printed something."""

    text: str
