# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to the master: the inputs of `Supervisor.handle`. Times are seconds on a monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..config import Config


class FileStamp(NamedTuple):
    """Identity of one state of the restart file. A chmod leaves it alone; a touch or a replacement does not."""

    device: int
    inode: int
    mtime_ns: int
    size: int


@dataclass(frozen=True)
class Release:
    """All that a generation's workers are started from, configuration included: read once, so that they cannot differ.

    `path` is the real directory, `python` the app's interpreter, `env` the complete environment.
    """

    path: str
    config: Config
    commit: str | None = None
    python: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ProbeResult:
    """The outcome of one HTTP request: a status, or the reason why there is none. `location` is where a 3xx leads."""

    status: int | None
    milliseconds: float
    error: str = ""
    location: str = ""


@dataclass(frozen=True)
class Startup:
    """The master has its socket and its loop: the first generation may start."""


@dataclass(frozen=True)
class TimerFired:
    """The time that `Supervisor.deadline` named has come."""


@dataclass(frozen=True)
class Touched:
    """The restart file was touched.

    `repeated`: the file system's clock is too coarse for another touch to change the stamp, yet there was one.
    """

    stamp: FileStamp
    repeated: bool = False


@dataclass(frozen=True)
class ReloadRequested:
    """A reload is wanted for another reason than a touch; `reason` completes "reload: ..."."""

    reason: str


@dataclass(frozen=True)
class StopRequested:
    """SIGTERM, SIGINT or SIGQUIT. The second one means at once."""


@dataclass(frozen=True)
class ReleaseResolved:
    """The directory leads to `release`. `stamp` was read before that: this release answers any touch up to it.

    `former` is the stamp of the restart file before the configuration named another one: its touch is answered, too.
    """

    release: Release
    stamp: FileStamp | None
    former: FileStamp | None = None


@dataclass(frozen=True)
class ReleaseUnavailable:
    """No generation can be started. `missing`: the directory itself is not there (yet). Stamps as above."""

    error: str
    stamp: FileStamp | None
    missing: bool = False
    former: FileStamp | None = None


@dataclass(frozen=True)
class Restored:
    """This procmon has taken over from another one in the same process. `reason` says why to reload now, if at all."""

    reason: str = ""


@dataclass(frozen=True)
class UpgradeRequested:
    """SIGUSR2: let the procmon that is installed now take over."""


@dataclass(frozen=True)
class UpgradeChecked:
    """The new procmon was tried: `error` says why it cannot take over; empty when it can."""

    error: str = ""


@dataclass(frozen=True)
class UpgradeFailed:
    """The new procmon did not take over. Without `error` only something else came in between."""

    error: str = ""


@dataclass(frozen=True)
class HeartbeatResult:
    """The heartbeat that was sent for `generation` is over."""

    generation: int
    result: ProbeResult


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
    """The private probe is over."""

    result: ProbeResult


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
class DrainStarted(Ticked):
    """As `Ticked`, and the worker no longer accepts."""


@dataclass(frozen=True)
class DrainFinished(WorkerEvent):
    """The worker is about to exit; `cut` requests did not end in time."""

    cut: int = 0


@dataclass(frozen=True)
class Failed(WorkerEvent):
    """The worker gives up; `error` ends with the traceback's tail."""

    stage: str
    error: str


@dataclass(frozen=True)
class Exited(WorkerEvent):
    """The process has ended. `how` is an exit status or a signal's name; `tail` is the end of its output."""

    how: str
    tail: str = ""


Event = (
    Startup
    | TimerFired
    | Touched
    | ReloadRequested
    | StopRequested
    | ReleaseResolved
    | ReleaseUnavailable
    | HeartbeatResult
    | Restored
    | UpgradeRequested
    | UpgradeChecked
    | UpgradeFailed
    | ReleaseGone
    | WorkerEvent
)
