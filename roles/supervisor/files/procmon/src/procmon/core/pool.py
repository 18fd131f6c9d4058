# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers and their slots: who holds a slot, who leaves, what replaces one that is lost, hung or expired.

The worker of a slot is replaced by another of the active generation, and leaves only when that one accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .actions import Abort, Accept, Action, Drain, Kill, Log, Spawn
from .backoff import HEALTHY_SECONDS, Backoff
from .health import hung_at, is_hung
from .worker import ACCEPTS, LEAVING, Generation, State, Worker

ACK_SECONDS = 5.0
DUMP_SECONDS = 1.0
EVIDENCE_SECONDS = 2.0
"""How long a worker that is ended for a failure has to write what it knows about it."""
OVERRUN_SECONDS = 20.0
"""From the end of a drain's time to SIGKILL: cut requests, the lifespan's shutdown and threads need theirs."""
EXIT_GRACE_SECONDS = 5.0
JITTER_SHARE = 0.1
MAX_DRAINING_PER_SLOT = 4
MIN_DRAIN_GRACES = 2
"""A drain may always last so many times `idle_grace`, however quickly reloads follow each other."""
HUNG = "hung"
CRASH_LOOP_FAILURES = 3
RECYCLED_SECONDS = 10.0
"""A worker that has served so long and then drains by itself was not lost: its slot does not wait for the next one."""


@dataclass(eq=False)
class Slot:
    """One of the places that `workers` asks for."""

    number: int
    worker: Worker | None = None
    replacement: Worker | None = None
    spawn_at: float = 0.0
    last_loss: str = ""
    """The last worker that was lost, and why."""

    backoff: Backoff = field(default_factory=Backoff)

    def needs_worker(self) -> bool:
        """Return whether a worker should be started for it."""
        return self.replacement is None and (self.worker is None or bool(self.worker.replace_reason))

    def is_stable(self) -> bool:
        """Return whether its worker is not to be replaced."""
        return self.worker is not None and not self.worker.replace_reason and self.replacement is None

    def crash_loop(self, now: float) -> str:
        """Describe workers that are lost again and again; empty once one has held out."""
        since = self.worker.active_at if self.worker else None
        if self.backoff.failures < CRASH_LOOP_FAILURES or (since is not None and now - since >= HEALTHY_SECONDS):
            return ""
        return f"{self.backoff.failures} workers were lost in a row, the last: {self.last_loss}"


class Pool:
    """All workers, those that leave included. `now` is set by the supervisor before anything else is called."""

    def __init__(self, slots: int, jitter: Callable[[], float]) -> None:
        self.now = 0.0
        self.stopping = False
        self.actions: list[Action] = []
        self.workers: dict[int, Worker] = {}
        self.slots = [Slot(number) for number in range(slots)]
        self.spawned = 0
        """Workers so far."""

        self._jitter = jitter

    def log(self, level: str, text: str) -> None:
        """Order a line in the log."""
        self.actions.append(Log(level, text))

    # -- one worker ---------------------------------------------------------------------------------------------------

    def spawn(self, slot: int, generation: Generation) -> Worker:
        """Start a worker, which has `boot_timeout` to be ready."""
        self.spawned += 1
        boot_by = self.now + generation.config.reload.boot_timeout_seconds
        limit_jitter = 1 + JITTER_SHARE * self._jitter()
        worker = Worker(self.spawned, slot, generation, self.now, boot_by, limit_jitter, since=self.now)
        self.workers[worker.number] = worker
        self.actions.append(Spawn(worker.number, slot, generation.number, generation.release))
        return worker

    def accept(self, worker: Worker) -> None:
        """Order it to accept."""
        worker.enter(State.ACCEPTING, self.now)
        worker.accept_by = self.now + ACK_SECONDS
        self.actions.append(Accept(worker.number))

    def retire(self, worker: Worker) -> None:
        """Make it leave in the way that its state deserves: one that may have accepted a connection finishes first."""
        if worker.state is State.ACTIVE and is_hung(worker, self.now):
            self.abort(worker)
        elif worker.state in ACCEPTS:
            self.drain(worker)
        elif worker.state not in LEAVING:
            self.kill(worker)

    def drain(self, worker: Worker) -> None:
        """Order it to finish, in the time that its own generation's configuration gives it."""
        worker.enter(State.DRAINING, self.now)
        self.limit_drain(worker)
        seconds = worker.config.reload.drain_timeout_seconds
        self.actions.append(Drain(worker.number, seconds, last=self.stopping))
        self._limit_draining()

    def limit_drain(self, worker: Worker) -> None:
        """Set the times at which a drain that does not end is ended."""
        worker.kill_at = self.now + worker.config.reload.drain_timeout_seconds + OVERRUN_SECONDS
        worker.abort_at = worker.kill_at - DUMP_SECONDS

    def end(self, worker: Worker, failure: str) -> None:
        """Expect it to exit by itself, soon: what it has to write about `failure` would be lost with a kill."""
        worker.enter(State.DYING, self.now)
        worker.failure = failure
        worker.abort_at, worker.kill_at = None, self.now + EVIDENCE_SECONDS
        self.actions.append(Drain(worker.number, 0.0))

    def abort(self, worker: Worker, failure: str = "") -> None:
        """Make it write where it hangs, then kill it."""
        worker.enter(State.DYING, self.now)
        worker.failure = failure
        worker.abort_at, worker.kill_at = None, self.now + DUMP_SECONDS
        self.actions.append(Abort(worker.number))

    def kill(self, worker: Worker) -> None:
        """End it now."""
        worker.enter(State.DYING, self.now)
        worker.abort_at = worker.kill_at = None
        self.actions.append(Kill(worker.number))

    def await_exit(self, worker: Worker) -> None:
        """It has sent its last message: give it a moment to exit by itself."""
        worker.abort_at, worker.kill_at = None, self.now + EXIT_GRACE_SECONDS

    def _limit_draining(self) -> None:
        if self.stopping:
            # All drain now, and none follow: each has the time that it was given.
            return
        # Streams that never end would pile up one generation per deploy. What is left of a drain after its first
        # seconds are such: idle connections have had their grace, also those that were busy when it began.
        draining = [worker for worker in self.workers.values() if worker.state is State.DRAINING]
        excess = len(draining) - MAX_DRAINING_PER_SLOT * len(self.slots)
        for worker in sorted(draining, key=lambda worker: worker.since)[: max(excess, 0)]:
            if worker.since <= self.now - MIN_DRAIN_GRACES * worker.config.reload.idle_grace_seconds:
                self.log("warning", f"{worker}: too many draining workers, aborting its {worker.in_flight} requests")
                self.kill(worker)

    # -- slots --------------------------------------------------------------------------------------------------------

    def promote(self, worker: Worker) -> None:
        """Put `worker` into its slot; what held it before leaves."""
        self._extend(worker.slot + 1)
        slot = self.slots[worker.slot]
        previous = [other for other in (slot.worker, slot.replacement) if other is not None and other is not worker]
        slot.worker, slot.replacement = worker, None
        for other in previous:
            self.retire(other)

    def resize(self, count: int) -> None:
        """Change the number of slots to `count`; the workers of those beyond leave."""
        self._extend(count)
        surplus, self.slots = self.slots[count:], self.slots[:count]
        for slot in surplus:
            for worker in (slot.worker, slot.replacement):
                if worker is not None:
                    self.retire(worker)

    def _extend(self, count: int) -> None:
        self.slots += [Slot(number) for number in range(len(self.slots), count)]

    def retire_stale(self, active: Generation) -> None:
        """Keep replacements of another generation than the active one from coming in."""
        for slot in self.slots:
            if slot.replacement is not None and slot.replacement.generation is not active:
                self.retire(slot.replacement)
                slot.replacement = None

    def free_slot(self, worker: Worker, why: str, *, failed: bool = True) -> bool:
        """`worker` no longer counts: if a slot relied on it, decide when to fill that again. Return whether one did."""
        slot = next((slot for slot in self.slots if worker in (slot.worker, slot.replacement)), None)
        if slot is None:
            return False
        slot.worker = None if slot.worker is worker else slot.worker
        slot.replacement = None if slot.replacement is worker else slot.replacement
        lived = 0.0 if worker.active_at is None else self.now - worker.active_at
        counts = failed or lived < RECYCLED_SECONDS
        wait = slot.backoff.delay(lived, self._jitter) if counts else 0.0
        slot.spawn_at = self.now + wait
        slot.last_loss = f"{worker} {why}"
        level = "error" if counts else "warning"
        self.log(level, f"{worker} {why}; replacing it {f'in {wait:.1f} s' if wait else 'now'}")
        return True

    def stop(self) -> None:
        """Make all workers leave for good."""
        self.stopping = True
        for slot in self.slots:
            slot.worker = slot.replacement = None
        for worker in list(self.workers.values()):
            self.retire(worker)

    def is_serving(self) -> bool:
        """Return whether any worker accepts."""
        return any(worker.state is State.ACTIVE for worker in self.workers.values())

    def is_accepting(self) -> bool:
        """Return whether any worker accepts, or was ordered to."""
        return any(worker.state in ACCEPTS for worker in self.workers.values())

    def crash_loop(self) -> str:
        """Describe the first slot that cannot keep a worker; empty when there is none."""
        return next(filter(None, (slot.crash_loop(self.now) for slot in self.slots)), "")

    def advance(self) -> None:
        """Take each replacement one step further."""
        for slot in self.slots:
            worker = slot.replacement
            if worker is not None and worker.state is State.READY:
                self.accept(worker)
            elif worker is not None and worker.state is State.ACTIVE:
                self.promote(worker)

    def fill(self, active: Generation) -> None:
        """Start a worker for each slot of the active generation that needs one and may have it already."""
        for slot in self.slots[: active.config.workers]:
            if slot.needs_worker() and self.now >= slot.spawn_at:
                slot.replacement = self.spawn(slot.number, active)

    # -- workers that serve, but should not ---------------------------------------------------------------------------

    def replace_hung(self) -> None:
        """Replace hung workers; where no other worker serves there is nothing to wait for."""
        holders = [slot.worker for slot in self.slots if slot.worker and slot.worker.state is State.ACTIVE]
        hung = [worker for worker in holders if is_hung(worker, self.now)]
        for worker in hung:
            silent = f"its event loop has not turned for {self.now - worker.last_tick:.0f} s"
            if len(hung) == len(holders):
                self.abort(worker)
                self.free_slot(worker, f"hangs ({silent}) and no other worker serves")
            elif worker.replace_reason != HUNG:
                worker.replace_reason = HUNG
                self.log("error", f"{worker} hangs: {silent}; replacing it")

    def recycle_expired(self, active: Generation) -> None:
        """Replace one worker that has reached a limit, when all others are stable."""
        if not all(slot.is_stable() for slot in self.slots):
            return
        for slot in self.slots:
            if slot.worker is not None and (reason := self._expired(slot.worker, active)):
                slot.worker.replace_reason = reason
                self.log("info", f"{slot.worker} {reason}; replacing it")
                return

    def _expired(self, worker: Worker, active: Generation) -> str:
        limits = worker.config.worker
        if worker.generation is not active:
            return f"belongs to a generation whose reload failed, generation {active.number} serves"
        if limits.max_requests and worker.requests >= limits.max_requests * worker.limit_jitter:
            return f"has served {worker.requests} requests (max_requests = {limits.max_requests})"
        if limits.max_rss_bytes and worker.rss_bytes >= limits.max_rss_bytes * worker.limit_jitter:
            return f"uses {worker.rss_bytes} bytes of memory (max_rss = {limits.max_rss_bytes})"
        expires_at = self._expires_at(worker)
        if expires_at is not None and self.now >= expires_at:
            return f"is {self.now - worker.born:.0f} s old (max_age = {limits.max_age_seconds:g})"
        return ""

    @staticmethod
    def _expires_at(worker: Worker) -> float | None:
        max_age = worker.config.worker.max_age_seconds
        return None if max_age is None else worker.born + max_age * worker.limit_jitter

    # -- time ---------------------------------------------------------------------------------------------------------

    def timers(self) -> list[float | None]:
        """Return when something here becomes due; what is due but waits for something else is in the past."""
        found: list[float | None] = [slot.spawn_at for slot in self.slots if slot.needs_worker()]
        return found + [self._expires_at(slot.worker) for slot in self.slots if slot.worker]

    def deadlines(self) -> list[float]:
        """Return when a worker has had all the time that it was given."""
        found = [time for worker in self.workers.values() for time in worker.deadlines() if time is not None]
        holders = [slot.worker for slot in self.slots if slot.worker and slot.worker.replace_reason != HUNG]
        return found + [hung_at(worker) for worker in holders]

    def extend_deadlines(self, seconds: float) -> None:
        """The master itself stood still for so long: its workers are not to blame for what it did not read."""
        for worker in self.workers.values():
            worker.extend_deadlines(seconds)
