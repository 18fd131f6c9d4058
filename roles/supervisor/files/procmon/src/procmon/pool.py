# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers and their slots: who holds a slot, who leaves, who comes in place of one that is lost, stuck or worn out.

A slot's holder is replaced by an incoming worker of the active generation, and leaves only when that one accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .actions import Abort, Accept, Action, Drain, Kill, Log, Spawn
from .backoff import HEALTHY_SECONDS, Backoff
from .config import Config
from .lifecycle import ACCEPTS, LEAVING, Generation, State, Worker

ACK_SECONDS = 5.0
DUMP_SECONDS = 1.0
OVERRUN_SECONDS = 15.0
LAST_WORDS_SECONDS = 5.0
WEAR_SHARE = 0.1
MOST_DRAINING_PER_SLOT = 4
FIRST_GRACES = 2
"""A drain may always last so many times `idle_grace`, however quickly reloads follow each other."""
STUCK = "stuck"
FAILURES_OF_TROUBLE = 3


@dataclass(eq=False)
class Slot:
    """One of the places that `workers` asks for."""

    number: int
    holder: Worker | None = None
    incoming: Worker | None = None
    spawn_at: float = 0.0
    lost: str = ""
    """The last worker that was lost, and why."""

    backoff: Backoff = field(default_factory=Backoff)

    def wants(self) -> bool:
        """Say whether a worker should be started for it."""
        return self.incoming is None and (self.holder is None or bool(self.holder.unwanted))

    def trouble(self, now: float) -> str:
        """Tell of workers that are lost again and again; empty once one has held out."""
        since = self.holder.active_at if self.holder else None
        if self.backoff.failures < FAILURES_OF_TROUBLE or (since is not None and now - since >= HEALTHY_SECONDS):
            return ""
        return f"{self.backoff.failures} workers were lost in a row, the last: {self.lost}"

    def steady(self) -> bool:
        """Say whether it is held by a worker that nobody wants to replace."""
        return self.holder is not None and not self.holder.unwanted and self.incoming is None


class Pool:
    """All workers, those on their way out included. `now` is set by the core before anything else is called."""

    def __init__(self, config: Config, jitter: Callable[[], float]) -> None:
        self.config = config
        self.now = 0.0
        self.stopping = False
        self.actions: list[Action] = []
        self.workers: dict[int, Worker] = {}
        self.slots = [Slot(number) for number in range(config.workers)]
        self._jitter = jitter
        self._spawned = 0

    def log(self, level: str, text: str) -> None:
        """Have a line logged."""
        self.actions.append(Log(level, text))

    # -- one worker ---------------------------------------------------------------------------------------------------

    def spawn(self, slot: int, generation: Generation, boot_by: float) -> Worker:
        """Start a worker that must be ready by `boot_by`."""
        self._spawned += 1
        wear = 1 + WEAR_SHARE * self._jitter()
        worker = Worker(self._spawned, slot, generation, self.now, boot_by, wear, since=self.now)
        self.workers[worker.number] = worker
        self.actions.append(Spawn(worker.number, slot, generation.number, generation.release))
        return worker

    def accept(self, worker: Worker) -> None:
        """Let it accept."""
        worker.enter(State.ACCEPTING, self.now)
        worker.accept_by = self.now + ACK_SECONDS
        self.actions.append(Accept(worker.number))

    def retire(self, worker: Worker) -> None:
        """Make it leave in the way that its state deserves: whoever may have accepted a connection finishes first."""
        if worker.state is State.ACTIVE and self.hung(worker):
            self.abort(worker)
        elif worker.state in ACCEPTS:
            self.drain(worker)
        elif worker.state not in LEAVING:
            self.kill(worker)

    def drain(self, worker: Worker) -> None:
        """Tell it to finish; it is gone 15 s after its time at the latest."""
        worker.enter(State.DRAINING, self.now)
        self.watch_drain(worker)
        seconds = self.config.reload.drain_timeout_seconds
        self.actions.append(Drain(worker.number, seconds, last=self.stopping))
        self._limit_draining()

    def watch_drain(self, worker: Worker) -> None:
        """Set the times at which a drain that does not end is ended."""
        worker.kill_at = self.now + self.config.reload.drain_timeout_seconds + OVERRUN_SECONDS
        worker.abort_at = worker.kill_at - DUMP_SECONDS

    def abort(self, worker: Worker) -> None:
        """Make it write where it hangs, then kill it."""
        worker.enter(State.DYING, self.now)
        worker.abort_at, worker.kill_at = None, self.now + DUMP_SECONDS
        self.actions.append(Abort(worker.number))

    def kill(self, worker: Worker) -> None:
        """End it now."""
        worker.enter(State.DYING, self.now)
        worker.abort_at = worker.kill_at = None
        self.actions.append(Kill(worker.number))

    def let_exit(self, worker: Worker) -> None:
        """It has said its last word: give it a moment to exit by itself."""
        worker.abort_at, worker.kill_at = None, self.now + LAST_WORDS_SECONDS

    def hung(self, worker: Worker) -> bool:
        """Say whether its event loop has not turned for too long."""
        return self.now >= self._hung_at(worker)

    def _hung_at(self, worker: Worker) -> float:
        # It may have turned for as long as it had nothing new to say.
        silence = worker.generation.release.silence_seconds
        return worker.last_tick + silence + self.config.worker.hang_timeout_seconds

    def _limit_draining(self) -> None:
        if self.stopping:
            # All drain now, and nobody follows: each has the time that it was given.
            return
        # Streams that never end would else pile up one generation a deploy. What is left of a drain after its first
        # seconds are such: idle connections have had their grace, also those that were busy when it began.
        draining = [worker for worker in self.workers.values() if worker.state is State.DRAINING]
        excess = len(draining) - MOST_DRAINING_PER_SLOT * len(self.slots)
        begun_before = self.now - FIRST_GRACES * self.config.reload.idle_grace_seconds
        for worker in sorted(draining, key=lambda worker: worker.since)[: max(excess, 0)]:
            if worker.since <= begun_before:
                self.log("warning", f"{worker}: too many workers drain, cutting its {worker.in_flight} requests")
                self.kill(worker)

    # -- slots --------------------------------------------------------------------------------------------------------

    def take(self, worker: Worker) -> None:
        """Give `worker` its slot; whoever had it leaves."""
        slot = self.slots[worker.slot]
        previous = [other for other in (slot.holder, slot.incoming) if other is not None and other is not worker]
        slot.holder, slot.incoming = worker, None
        for other in previous:
            self.retire(other)

    def trim(self) -> None:
        """Give up the slots that the configuration before this one had more."""
        for slot in self.slots[self.config.workers :]:
            for worker in (slot.holder, slot.incoming):
                if worker is not None:
                    self.retire(worker)
        del self.slots[self.config.workers :]

    def turn_back(self, active: Generation) -> None:
        """Let nobody come in any more who is not of the generation that serves now."""
        for slot in self.slots:
            if slot.incoming is not None and slot.incoming.generation is not active:
                self.retire(slot.incoming)
                slot.incoming = None

    def vacate(self, worker: Worker, why: str) -> bool:
        """`worker` no longer counts: if a slot relied on it, see when to fill that again. Return whether one did."""
        slot = next((slot for slot in self.slots if worker in (slot.holder, slot.incoming)), None)
        if slot is None:
            return False
        slot.holder = None if slot.holder is worker else slot.holder
        slot.incoming = None if slot.incoming is worker else slot.incoming
        lived = 0.0 if worker.active_at is None else self.now - worker.active_at
        wait = slot.backoff.delay(lived, self._jitter)
        slot.spawn_at = self.now + wait
        slot.lost = f"{worker} {why}"
        self.log("error", f"{worker} {why}; replacing it {f'in {wait:.1f} s' if wait else 'at once'}")
        return True

    def stop(self) -> None:
        """Have everybody leave for good."""
        self.stopping = True
        for slot in self.slots:
            slot.holder = slot.incoming = None
        for worker in list(self.workers.values()):
            self.retire(worker)

    def serving(self) -> bool:
        """Say whether anybody accepts."""
        return any(worker.state is State.ACTIVE for worker in self.workers.values())

    def trouble(self) -> str:
        """Tell of the first slot that cannot keep a worker; empty when there is none."""
        return next(filter(None, (slot.trouble(self.now) for slot in self.slots)), "")

    def bring_in(self) -> None:
        """Take each incoming worker one step further."""
        for slot in self.slots:
            worker = slot.incoming
            if worker is not None and worker.state is State.READY:
                self.accept(worker)
            elif worker is not None and worker.state is State.ACTIVE:
                self.take(worker)

    def fill(self, active: Generation) -> None:
        """Start a worker for each slot that wants one and may have it already."""
        boot_by = self.now + self.config.reload.boot_timeout_seconds
        for slot in self.slots:
            if slot.wants() and self.now >= slot.spawn_at:
                slot.incoming = self.spawn(slot.number, active, boot_by)

    # -- workers that serve, but should not ---------------------------------------------------------------------------

    def find_hung(self) -> None:
        """Have stuck workers replaced; with nobody else left there is nothing to wait for."""
        holders = [slot.holder for slot in self.slots if slot.holder and slot.holder.state is State.ACTIVE]
        stuck = [worker for worker in holders if self.hung(worker)]
        for worker in stuck:
            silent = f"its event loop has not turned for {self.now - worker.last_tick:.0f} s"
            if len(stuck) == len(holders):
                self.abort(worker)
                self.vacate(worker, f"is stuck ({silent}) and nobody else serves")
            elif worker.unwanted != STUCK:
                worker.unwanted = STUCK
                self.log("error", f"{worker} is stuck: {silent}; replacing it")

    def find_worn(self, active: Generation) -> None:
        """Have one worker replaced that has reached a limit, when all others are well."""
        if not all(slot.steady() for slot in self.slots):
            return
        for slot in self.slots:
            if slot.holder is not None and (reason := self._worn(slot.holder, active)):
                slot.holder.unwanted = reason
                self.log("info", f"{slot.holder} {reason}; replacing it")
                return

    def _worn(self, worker: Worker, active: Generation) -> str:
        limits = self.config.worker
        if worker.generation is not active:
            return f"belongs to a generation that was given up, generation {active.number} serves"
        if limits.max_requests and worker.requests >= limits.max_requests * worker.wear:
            return f"has served {worker.requests} requests (max_requests = {limits.max_requests})"
        if limits.max_rss_bytes and worker.rss_bytes >= limits.max_rss_bytes * worker.wear:
            return f"uses {worker.rss_bytes} bytes of memory (max_rss = {limits.max_rss_bytes})"
        if limits.max_age_seconds and self.now >= self._old_at(worker, limits.max_age_seconds):
            return f"is {self.now - worker.born:.0f} s old (max_age = {limits.max_age_seconds:g})"
        return ""

    @staticmethod
    def _old_at(worker: Worker, max_age_seconds: float) -> float:
        return worker.born + max_age_seconds * worker.wear

    # -- time ---------------------------------------------------------------------------------------------------------

    def times(self) -> list[float | None]:
        """When something here becomes due; what is due but waits for something else is in the past."""
        found: list[float | None] = [slot.spawn_at for slot in self.slots if slot.wants()]
        if max_age := self.config.worker.max_age_seconds:
            found += [self._old_at(slot.holder, max_age) for slot in self.slots if slot.holder]
        return found

    def judgements(self) -> list[float]:
        """When somebody here has had all the time that he was given."""
        found = [time for worker in self.workers.values() for time in worker.times() if time is not None]
        holders = [slot.holder for slot in self.slots if slot.holder and slot.holder.unwanted != STUCK]
        return found + [self._hung_at(holder) for holder in holders]

    def forgive(self, seconds: float) -> None:
        """The master itself stood still for so long: its workers are not to blame for what it did not hear."""
        for worker in self.workers.values():
            worker.put_off(seconds)
