# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to the master: the inputs of `core.Core.handle`. Times are seconds on a monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """Identity of one state of the restart file. A chmod leaves it alone; a touch or a replacement does not."""

    device: int
    inode: int
    mtime_ns: int
    size: int


@dataclass(frozen=True)
class Release:
    """All that a generation's workers are started from: read once, so that they cannot differ."""

    path: str
    commit: str | None = None
    python: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    app: str = ""
    uvicorn: Mapping[str, Any] = field(default_factory=dict)
    idle_grace_seconds: float = 5.0
    preload: bool = False
    silence_seconds: float = 0.0
    """How long its workers may say nothing when they have nothing new to say, beyond the second between two ticks."""

    settings: str = ""
    """Identifies the configuration that this was read by."""


@dataclass(frozen=True)
class Answer:
    """The outcome of one HTTP request: a status, or the reason why there is none."""

    status: int | None
    milliseconds: float
    error: str = ""
    late: bool = False
    """The asker itself stood still: that it heard nothing in time tells nothing about the app."""


@dataclass(frozen=True)
class Begin:
    """The master has its socket and its loop: the first generation may start."""


@dataclass(frozen=True)
class Woke:
    """The time that `Core.deadline` named has come."""


@dataclass(frozen=True)
class Touched:
    """The restart file is not what it was."""

    mark: Mark


@dataclass(frozen=True)
class ReloadAsked:
    """Somebody asked without touching the file; `reason` completes "reload: ..."."""

    reason: str


@dataclass(frozen=True)
class StopAsked:
    """SIGTERM or SIGINT. The second one means at once."""


@dataclass(frozen=True)
class Resolved:
    """The directory leads to `release`. `mark` was read before that: this release answers any touch up to it."""

    release: Release
    mark: Mark | None


@dataclass(frozen=True)
class Unresolved:
    """No generation can be started. `missing`: the directory itself is not there (yet)."""

    error: str
    mark: Mark | None
    missing: bool = False


@dataclass(frozen=True)
class Adopted:
    """This procmon has taken over from another one in the same process. `reason` says why to reload now, if at all."""

    reason: str = ""


@dataclass(frozen=True)
class UpgradeAsked:
    """SIGUSR2: let the procmon that is installed now take over."""


@dataclass(frozen=True)
class Preflighted:
    """The successor was tried: `error` says why it cannot take over; empty when it can."""

    error: str = ""


@dataclass(frozen=True)
class Stayed:
    """The successor did not take over. Without `error` only something else came in between."""

    error: str = ""


@dataclass(frozen=True)
class HeartbeatAnswered:
    """The heartbeat asked for in `generation` is over."""

    generation: int
    answer: Answer


@dataclass(frozen=True)
class ReleaseGone:
    """`worker` could not be spawned because its generation's directory no longer exists."""

    worker: int


@dataclass(frozen=True)
class WorkerEvent:
    """Something that concerns one worker, by its number."""

    worker: int


@dataclass(frozen=True)
class Spawned(WorkerEvent):
    """The process exists."""

    pid: int


@dataclass(frozen=True)
class Loaded(WorkerEvent):
    """The app is imported."""


@dataclass(frozen=True)
class Started(WorkerEvent):
    """The app's lifespan has started."""


@dataclass(frozen=True)
class Probed(WorkerEvent):
    """The private request is over."""

    answer: Answer


@dataclass(frozen=True)
class Accepted(WorkerEvent):
    """The worker accepts connections from now on."""


@dataclass(frozen=True)
class Ticked(WorkerEvent):
    """The worker's event loop turns."""

    requests: int = 0
    in_flight: int = 0
    connections: int = 0
    rss_bytes: int = 0


@dataclass(frozen=True)
class Drains(Ticked):
    """As `Ticked`, and the worker no longer accepts."""


@dataclass(frozen=True)
class Drained(WorkerEvent):
    """The worker is about to exit; `cut` requests did not end in time."""

    cut: int = 0


@dataclass(frozen=True)
class Failed(WorkerEvent):
    """The worker gives up; `error` ends with the traceback's tail."""

    stage: str
    error: str


@dataclass(frozen=True)
class Exited(WorkerEvent):
    """The process is gone. `how` reads after "ended with"; `tail` is the end of what it wrote."""

    how: str
    tail: str = ""


Event = (
    Begin
    | Woke
    | Touched
    | ReloadAsked
    | StopAsked
    | Resolved
    | Unresolved
    | HeartbeatAnswered
    | Adopted
    | UpgradeAsked
    | Preflighted
    | Stayed
    | ReleaseGone
    | WorkerEvent
)
