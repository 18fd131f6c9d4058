# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core wants done: the outputs of `Supervisor.handle`, executed by the master in this order."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import HeartbeatConfig
from .events import Release


@dataclass(frozen=True)
class ResolveRelease:
    """Read the restart file's stamp, the configuration, and where its directory leads to.

    Answered by `ReleaseResolved` or `ReleaseUnavailable`.
    """


@dataclass(frozen=True)
class Spawn:
    """Start a worker; answered by `Spawned`, `ReleaseGone` or `Failed`."""

    worker: int
    slot: int
    generation: int
    release: Release


@dataclass(frozen=True)
class Probe:
    """Ask the app over a private connection, for at most `seconds`; answered by `Probed`."""

    worker: int
    seconds: float
    heartbeat: HeartbeatConfig


@dataclass(frozen=True)
class Listen:
    """Open the socket's queue for connections: a worker is about to accept them."""


@dataclass(frozen=True)
class Unlisten:
    """Close the master's copy of the listening socket."""


@dataclass(frozen=True)
class RefuseClients:
    """Answer 503 to everyone who connects to a socket that listens already; `reason` is shown to them."""

    reason: str


@dataclass(frozen=True)
class StopRefusing:
    """Leave those who connect to the workers."""


@dataclass(frozen=True)
class Accept:
    """Order a worker to accept."""

    worker: int


@dataclass(frozen=True)
class Drain:
    """Order a worker to finish within `seconds`. `last`: no other worker will accept what is still queued."""

    worker: int
    seconds: float
    last: bool = False


@dataclass(frozen=True)
class Abort:
    """Send SIGABRT: it makes the worker write where it hangs."""

    worker: int


@dataclass(frozen=True)
class Kill:
    """Send SIGKILL to the worker."""

    worker: int


@dataclass(frozen=True)
class SendHeartbeat:
    """Send one heartbeat; answered by `HeartbeatResult`."""

    generation: int
    heartbeat: HeartbeatConfig


@dataclass(frozen=True)
class CheckUpgrade:
    """Ask the installed procmon whether it can take over; answered by `UpgradeChecked`."""


@dataclass(frozen=True)
class ExecUpgrade:
    """Become the installed procmon, in this very process; answered by `UpgradeFailed` when that did not work."""


@dataclass(frozen=True)
class Log:
    """One line for the operator. `level` is a name of the logging module."""

    level: str
    text: str


@dataclass(frozen=True)
class Exit:
    """All is done: leave with this exit status."""

    status: int


Action = (
    ResolveRelease
    | Spawn
    | Probe
    | Listen
    | Unlisten
    | RefuseClients
    | StopRefusing
    | Accept
    | Drain
    | Abort
    | Kill
    | SendHeartbeat
    | CheckUpgrade
    | ExecUpgrade
    | Log
    | Exit
)
