"""A procmon without processes: the core, a clock that is set by hand, and a world that answers as the test decides."""

from __future__ import annotations

import json
from collections import deque
from copy import copy
from typing import TypeVar

from procmon.config import Config, parse
from procmon.core.actions import Accept, Action, Drain, ExecUpgrade, Exit, Log, ResolveRelease, SendHeartbeat, Spawn
from procmon.core.events import (
    Accepted,
    Event,
    Exited,
    Failed,
    FileStamp,
    HeartbeatResult,
    Loaded,
    Probed,
    ProbeResult,
    Release,
    ReleaseGone,
    ReleaseResolved,
    ReleaseUnavailable,
    ReloadRequested,
    Spawned,
    Started,
    Startup,
    StopRequested,
    Ticked,
    TimerFired,
    Touched,
)
from procmon.core.snapshot import dump, load
from procmon.core.supervisor import Supervisor
from procmon.core.worker import State, Worker

from tests.support.procmon.invariants import check, observe

A = TypeVar("A", bound=Action)
WELL = ProbeResult(200, 1.0)
ILL = ProbeResult(500, 1.0)
MISSING = ReleaseUnavailable("directory = '/app' does not exist", None, missing=True)


def config(**settings: object) -> Config:
    """Return a valid configuration; sections are dicts."""
    base = {"name": "blog", "app": "blog:app", "directory": "/app", "bind": "127.0.0.1:3001", "workers": 2}
    return parse({**base, **settings})


class Story:
    """Tells the core what happens. `acts` is what the last event has led to; logs are kept apart in `logged`."""

    def __init__(self, **settings: object) -> None:
        self.config = config(**settings)
        """What the configuration file contains now."""
        self.cores = 1
        self.core = Supervisor(self.config, lambda: 0.0)
        self.now = 1000.0
        self.acts: list[Action] = []
        self.logged: list[str] = []
        self.path = "/releases/a"
        """Where the directory leads to now."""
        self.mark: FileStamp | None = FileStamp(1, 1, 1, 0)
        self.broken: ReleaseUnavailable | ReleaseResolved | None = None
        self.deleted: set[str] = set()
        """The paths of releases that are no longer there."""
        self.read = ""
        """The release that the directory led to when it was read last, whole or not."""
        self.replacing = False
        """The core wants to become its successor."""
        self.left: int | None = None
        """The exit status, once procmon has ended."""

    def with_cores(self, cores: int) -> Story:
        """Set the number of processor cores, before anything happens."""
        self.cores = cores
        self.core = Supervisor(self.config, lambda: 0.0, cores)
        return self

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> Story:
        """Pass `event` to the core now. The world answers resolving and spawning, in the loop's order."""
        self.acts = []
        events = deque([event])
        while events:
            events += self._handle(events.popleft())
        return self

    def _handle(self, event: Event) -> list[Event]:
        """Pass one event to the core and check the invariants; return what the world answers."""
        before = observe(self.core)
        actions = self.core.handle(event, self.now)
        check(before, event, actions, self.core, self.now)
        self.logged += [action.text for action in actions if isinstance(action, Log)]
        self.acts += [action for action in actions if not isinstance(action, Log)]
        return [answer for action in actions if (answer := self._answer(action))]

    def _answer(self, action: Action) -> Event | None:
        if isinstance(action, ResolveRelease):
            self.read = self.path
            release = Release(self.path, self.config, self.path[-1] * 40)
            return self.broken or (MISSING if self.read in self.deleted else ReleaseResolved(release, self.mark))
        if isinstance(action, Spawn):
            gone = action.release.path in self.deleted
            return ReleaseGone(action.worker) if gone else Spawned(action.worker, 100 + action.worker)
        if isinstance(action, Exit):
            assert self.left is None
            self.left = action.status
        self.replacing = self.replacing or isinstance(action, ExecUpgrade)
        return None

    def after(self, seconds: float, *, ticking: bool = True) -> Story:
        """Advance the time as the loop would: the core is woken when it asked for it, and healthy workers tick."""
        until = self.now + seconds
        collected: list[Action] = []
        while True:
            due = self.core.deadline()
            step = min(until, due if due is not None else until, self.now + 1 if ticking else until)
            self.now = step = max(self.now, step)
            collected += self.tell(TimerFired()).acts
            if ticking:
                for worker in list(self.core.pool.workers):
                    collected += self.tell(Ticked(worker)).acts
            if step >= until:
                self.acts = collected
                return self

    def begin(self) -> Story:
        """Start procmon."""
        return self.tell(Startup())

    def touch(self) -> Story:
        """Touch the restart file."""
        self.mark = FileStamp(1, 1, (self.mark.mtime_ns if self.mark else 0) + 1, 0)
        return self.tell(Touched(self.mark))

    def begin_reload(self) -> list[Event]:
        """Touch the restart file after the directory was pointed elsewhere; return what is to be answered then."""
        self.mark = FileStamp(1, 1, (self.mark.mtime_ns if self.mark else 0) + 1, 0)
        return self._handle(Touched(self.mark))

    def deploy(self, path: str) -> Story:
        """Point the directory to another release and touch."""
        self.path = path
        return self.touch()

    def configure(self, **settings: object) -> Story:
        """Write another configuration file."""
        self.config = config(**settings)
        return self

    def ready(self, worker: Worker) -> Story:
        """Boot a worker up to its passed probe."""
        number = worker.number
        acts: list[Action] = []
        for event in (Loaded(number), Started(number), Probed(number, WELL)):
            acts += self.tell(event).acts
        self.acts = acts
        return self

    def accepted(self, worker: Worker) -> Story:
        """Confirm that a worker accepts."""
        return self.tell(Accepted(worker.number))

    def exited(self, worker: Worker, how: str = "exit status 0") -> Story:
        """End a worker's process."""
        return self.tell(Exited(worker.number, how))

    def failed(self, worker: Worker, error: str = "ImportError: no blog") -> Story:
        """Report that a worker gives up."""
        return self.tell(Failed(worker.number, "import", error))

    def beat_answered(self, answer: ProbeResult) -> Story:
        """Answer the heartbeat that is under way."""
        return self.tell(HeartbeatResult(self.core.reloads.active.number if self.core.reloads.active else 0, answer))

    def stop(self) -> Story:
        """Send SIGTERM."""
        return self.tell(StopRequested())

    def hup(self) -> Story:
        """Send SIGHUP."""
        return self.tell(ReloadRequested("SIGHUP"))

    def succeed(self, **settings: object) -> Story:
        """Hand all that the core knows to the next one with other settings, as JSON; return the story of that one."""
        new = copy(self)
        new.config = config(**settings)
        new.core = Supervisor(new.config, lambda: 0.0, self.cores)
        load(new.core, json.loads(json.dumps(dump(self.core))))
        new.acts, new.replacing = [], False
        return new

    def proceed(self) -> Story:
        """Complete all that is under way until nothing changes any more, except for drains."""
        acts: list[Action] = []
        while step := self.next_success():
            acts += self.tell(step).acts
        self.acts = acts
        return self

    def next_success(self) -> Event | None:
        """Return the next event if all goes well; None when nothing is under way."""
        for worker in self.workers():
            match worker.state:
                case State.STARTING:
                    return Loaded(worker.number)
                case State.LOADED:
                    return Started(worker.number)
                case State.PROBING:
                    return Probed(worker.number, WELL)
                case State.ACCEPTING:
                    return Accepted(worker.number)
                case State.DYING:
                    return Exited(worker.number, "SIGKILL")
        return None

    def served(self) -> Story:
        """Start and bring the first generation up."""
        return self.begin().proceed()

    def end_drains(self) -> Story:
        """Finish the drains of all workers."""
        acts: list[Action] = []
        for worker in self.workers(State.DRAINING):
            acts += self.exited(worker).acts
        self.acts = acts
        return self

    # -- asking -------------------------------------------------------------------------------------------------------

    def workers(self, *states: State, generation: int | None = None) -> list[Worker]:
        """Return the workers in one of `states`, of `generation` where it is given."""
        return [
            worker
            for worker in self.core.pool.workers.values()
            if (not states or worker.state in states) and (generation is None or worker.generation.number == generation)
        ]

    def done(self, kind: type[A]) -> list[A]:
        """Return the actions of one kind that the last event has led to."""
        return [action for action in self.acts if isinstance(action, kind)]

    def spawned(self) -> list[tuple[int, int]]:
        """Return (slot, generation) of what has just been spawned."""
        return [(action.slot, action.generation) for action in self.done(Spawn)]

    def accepts(self) -> list[int]:
        """Return the workers that were just ordered to accept."""
        return [action.worker for action in self.done(Accept)]

    def drains(self) -> list[int]:
        """Return the workers that were just ordered to drain."""
        return [action.worker for action in self.done(Drain)]

    def beats(self) -> int:
        """Return how many heartbeats were just sent."""
        return len(self.done(SendHeartbeat))

    @property
    def state(self) -> str:
        """The master's state."""
        return self.core.state

    def active(self, generation: int) -> int:
        """Return how many workers of `generation` serve."""
        return len(self.workers(State.ACTIVE, generation=generation))
