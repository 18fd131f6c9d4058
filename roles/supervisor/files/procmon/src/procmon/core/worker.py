# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of one worker as a table.

A worker boots (STARTING, LOADED, PROBING), is READY when the app has answered the private probe, and waits there until
its generation may accept. ACCEPTING lasts until it confirms; ACTIVE is the only state that counts as serving. DRAINING
accepts nothing and finishes what it has; DYING waits for the end of the process. Two rules hold everywhere: a worker
that sends what its state does not allow is not trusted further and goes to DYING, and one that was ordered to leave may
still have older messages on their way, which change nothing.

The diagram in docs/procmon.md is generated from this table (`tools/diagrams`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..config import Config
from .events import (
    Accepted,
    DrainFinished,
    DrainStarted,
    Exited,
    Failed,
    Loaded,
    Probed,
    Release,
    Spawned,
    Started,
    Ticked,
    WorkerEvent,
)


class State(Enum):
    """Where a worker is in its life; the values appear in status.json."""

    STARTING = "starting"
    LOADED = "loaded"
    PROBING = "probing"
    READY = "ready"
    ACCEPTING = "accepting"
    ACTIVE = "active"
    DRAINING = "draining"
    DYING = "dying"
    GONE = "gone"


class UnexpectedEvent(Exception):  # noqa: N818 - it reads as what it is
    """Raised when the table does not decide what an event means in a state."""

    def __init__(self, state: State, event: type[WorkerEvent]) -> None:
        super().__init__(f"{event.__name__} is not decided for a worker that is {state.value}")


S = State
BOOTING = frozenset({S.STARTING, S.LOADED, S.PROBING})
ACCEPTS = frozenset({S.ACCEPTING, S.ACTIVE})
LEAVING = frozenset({S.DRAINING, S.DYING})

_EVENTS: tuple[type[WorkerEvent], ...] = (
    *(Spawned, Loaded, Started, Probed, Accepted),
    *(Ticked, DrainStarted, DrainFinished, Failed, Exited),
)
_TABLE = """
                   STARTING  LOADED   PROBING  READY  ACCEPTING  ACTIVE    DRAINING  DYING
    Spawned        STARTING  DYING    DYING    DYING  DYING      DYING     DYING     DYING
    Loaded         LOADED    DYING    DYING    DYING  DYING      DYING     DYING     DYING
    Started        DYING     PROBING  DYING    DYING  DYING      DYING     DYING     DYING
    Probed         DYING     DYING    READY    DYING  DYING      DYING     DYING     DYING
    Accepted       DYING     DYING    DYING    DYING  ACTIVE     DYING     DRAINING  DYING
    Ticked         STARTING  LOADED   PROBING  READY  ACCEPTING  ACTIVE    DRAINING  DYING
    DrainStarted   DYING     DYING    DYING    DYING  DRAINING   DRAINING  DRAINING  DYING
    DrainFinished  DYING     DYING    DYING    DYING  DYING      DYING     DYING     DYING
    Failed         DYING     DYING    DYING    DYING  DYING      DYING     DYING     DYING
    Exited         GONE      GONE     GONE     GONE   GONE       GONE      GONE      GONE
"""


def _read(table: str) -> dict[tuple[State, type[WorkerEvent]], State]:
    """Read a table of states: one column per state, one row per event."""
    head, *rows = [line.split() for line in table.strip().splitlines()]
    events = {event.__name__: event for event in _EVENTS}
    return {
        (State[column], events[name]): State[following]
        for name, *row in rows
        for column, following in zip(head, row, strict=True)
    }


NEXT = _read(_TABLE)


def step(state: State, event: type[WorkerEvent]) -> State:
    """Return the state that follows; raise `UnexpectedEvent` for a pair that is not in the table."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise UnexpectedEvent(state, event) from None


@dataclass(frozen=True)
class Generation:
    """The workers that are started from one reading of the configuration and its directory."""

    number: int
    release: Release

    @property
    def config(self) -> Config:
        """The configuration that this generation runs with."""
        return self.release.config


@dataclass(eq=False)
class Worker:
    """What the core knows of one worker. Times are seconds on the core's clock; None means never."""

    number: int
    slot: int
    generation: Generation
    born: float
    boot_by: float
    limit_jitter: float
    """About 1: its limits are multiplied by it, so that workers of one age are not replaced together."""

    state: State = State.STARTING
    pid: int = 0
    since: float = 0.0
    active_at: float | None = None
    last_tick: float = 0.0
    requests: int = 0
    in_flight: int = 0
    connections: int = 0
    rss_bytes: int = 0
    replace_reason: str = ""
    """Why a replacement is wanted; empty while the worker is wanted."""

    failure: str = ""
    """Why it was ended, where its last output belongs to the reason: reported once the process has exited."""

    accept_by: float | None = None
    abort_at: float | None = None
    kill_at: float | None = None

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid}, generation {self.generation.number})"

    @property
    def config(self) -> Config:
        """The configuration that it was started with."""
        return self.generation.config

    def enter(self, state: State, now: float) -> None:
        """Go to `state`, at `now`."""
        self.state, self.since = state, now
        if state is State.ACTIVE:
            self.active_at = self.last_tick = now

    def extend_deadlines(self, seconds: float) -> None:
        """Allow it `seconds` more for what it is expected to do."""
        self.boot_by += seconds
        self.last_tick += seconds
        self.accept_by, self.abort_at, self.kill_at = (
            None if time is None else time + seconds for time in (self.accept_by, self.abort_at, self.kill_at)
        )

    def deadlines(self) -> list[float | None]:
        """Return when something has to be done about this worker, whatever else happens."""
        boot_by = self.boot_by if self.state in BOOTING else None
        accept_by = self.accept_by if self.state is State.ACCEPTING else None
        return [boot_by, accept_by, self.abort_at, self.kill_at]
