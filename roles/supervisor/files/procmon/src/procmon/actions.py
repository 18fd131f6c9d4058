# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core wants done: the outputs of `core.Core.handle`, performed by the loop in this order."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Release


@dataclass(frozen=True)
class Resolve:
    """Read the restart file's mark, then where the directory leads to; answer `Resolved` or `Unresolved`."""


@dataclass(frozen=True)
class Spawn:
    """Start a worker; answer `Spawned`, `ReleaseGone` or `Failed`."""

    worker: int
    slot: int
    generation: int
    release: Release


@dataclass(frozen=True)
class Probe:
    """Ask the app over a private connection, for at most `seconds`; answer `Probed`."""

    worker: int
    seconds: float


@dataclass(frozen=True)
class Listen:
    """Let the kernel queue connections: somebody is about to accept them."""


@dataclass(frozen=True)
class Unlisten:
    """Close the master's copy of the listening socket."""


@dataclass(frozen=True)
class Accept:
    """Tell a worker to accept."""

    worker: int


@dataclass(frozen=True)
class Drain:
    """Tell a worker to finish within `seconds`. `last`: nobody else will accept what is still queued."""

    worker: int
    seconds: float
    last: bool = False


@dataclass(frozen=True)
class Abort:
    """SIGABRT: makes the worker write where it hangs."""

    worker: int


@dataclass(frozen=True)
class Kill:
    """SIGKILL for the worker and all that it started."""

    worker: int


@dataclass(frozen=True)
class Beat:
    """Send one heartbeat; answer `HeartbeatAnswered`."""

    generation: int


@dataclass(frozen=True)
class Preflight:
    """Ask the successor whether it can take over; answer `Preflighted`."""


@dataclass(frozen=True)
class Replace:
    """Become the successor, in this very process; answer `Stayed` when that did not come about."""


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
    Resolve
    | Spawn
    | Probe
    | Listen
    | Unlisten
    | Accept
    | Drain
    | Abort
    | Kill
    | Beat
    | Preflight
    | Replace
    | Log
    | Exit
)
