# SPDX-License-Identifier: GPL-3.0-or-later
"""One reload from the request to its answer: merging requests, booting, promoting, failing.

A reload brings a new generation: a release with its configuration, both read at the same moment. Its workers boot
beside the old ones. As many boot at once as there are processor cores until the first one is ready, which proves that
the release can work; before that, the first failure ends the reload. With `surge = "one"` the slots follow one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..config import Config
from .actions import ResolveRelease
from .backoff import Backoff
from .events import FileStamp, ReleaseResolved, ReleaseUnavailable, Touched
from .health import HealthCheck
from .pool import OVERRUN_SECONDS, Pool
from .worker import ACCEPTS, BOOTING, LEAVING, Generation, State, Worker

RETRIES = 2
WAIT_SECONDS = 1.0
DEBOUNCE_SECONDS = 0.2
MAX_DEBOUNCE_SECONDS = 1.0


@dataclass(frozen=True)
class Restart:
    """The answer to the newest touch. `stamp` is the restart file's mtime in nanoseconds."""

    stamp: int | None = None
    result: str | None = None
    error: str = ""
    seconds: float = 0.0


@dataclass
class Rollout:
    """A generation on its way to the users. Times are seconds on the core's clock."""

    reason: str
    began: float
    started_over: bool = False
    generation: Generation | None = None
    """None until the release has been resolved."""

    workers: dict[int, Worker] = field(default_factory=dict)
    """By slot: the new workers that do not hold their slot yet."""

    handed_over: set[int] = field(default_factory=set)
    """Slots that the new generation holds already; only when sequential."""

    proven: bool = False
    """A worker was ready: this release can work."""

    retry_until: float = 0.0
    retries: int = RETRIES

    @property
    def sequential(self) -> bool:
        """Return whether the slots follow one another."""
        return self.generation is not None and self.generation.config.reload.surge == "one"

    @property
    def slots(self) -> int:
        """How many slots the new generation has."""
        return self.generation.config.workers if self.generation else 0

    def may_start_over(self) -> bool:
        """Return whether newer code can still take this one's place without any user noticing."""
        served = self.handed_over or any(worker.state in ACCEPTS for worker in self.workers.values())
        return not served and not self.started_over

    def may_retry(self, now: float) -> bool:
        """Return whether a worker that was lost may be replaced without failing the reload."""
        # Slot by slot, drains take most of the time: then the number of retries is limit enough.
        return self.proven and self.retries > 0 and (self.sequential or now < self.retry_until)

    def ready(self) -> list[Worker]:
        """Return the workers that wait for the order to accept."""
        return [worker for worker in self.workers.values() if worker.state is State.READY]

    def all_ready(self) -> bool:
        """Return whether each slot that is to be handed over next has a worker that has booted."""
        present = self.sequential or len(self.workers) == self.slots
        return present and not any(worker.state in BOOTING | LEAVING for worker in self.workers.values())

    def missing_slots(self, at_once: int) -> list[int]:
        """Return the slots to start a worker for now: one when sequential, `at_once` until one was ready."""
        missing = [slot for slot in range(self.slots) if slot not in self.workers and slot not in self.handed_over]
        if self.proven and not self.sequential:
            return missing
        limit = 1 if self.sequential else at_once
        return missing[: max(0, limit - len(self.workers))]

    def complete(self) -> bool:
        """Return whether each slot has a new worker that accepts."""
        active = {slot for slot, worker in self.workers.items() if worker.state is State.ACTIVE}
        return len(active | self.handed_over) == self.slots


class Reloads:
    """All reloads of one procmon. `jitter` returns numbers from -1 to 1, `cores` is how many workers boot at once."""

    def __init__(self, pool: Pool, health: HealthCheck, jitter: Callable[[], float], cores: int) -> None:
        self.active: Generation | None = None
        self.rollout: Rollout | None = None
        self.restart = Restart()
        self.stamp: FileStamp | None = None
        self.waiting = False
        """There is no release yet."""

        self.count = 0
        """Generations so far."""

        self.retry_at: float | None = None
        self.retries = Backoff()
        self.pending = ""
        self._pool = pool
        self._health = health
        self._jitter = jitter
        self._cores = cores
        self._touched_ns: int | None = None
        self._answered_ns: int | None = None
        self._requested_at = self._finished_at = 0.0

    # -- requests -----------------------------------------------------------------------------------------------------

    def touched(self, event: Touched) -> None:
        """Take a touch. A reload reads the stamp itself before it resolves the release: the same one is old news."""
        if event.stamp != self.stamp or event.repeated:
            self._touched_ns = event.stamp.mtime_ns
            self.request("the restart file was touched")

    def request(self, reason: str) -> None:
        """Reload now, or after the one that is under way; what has yet to read the directory needs nothing more."""
        rollout, self._requested_at = self.rollout, self._pool.now
        if self._pool.stopping:
            return
        if rollout is None and not self.pending:
            self.retries.reset()
            self._start(reason)
        elif rollout is None:
            self.pending = reason
        elif rollout.generation is not None:
            if rollout.may_start_over():
                self._start_over(rollout, reason)
            else:
                self.pending = reason

    def cancel(self) -> None:
        """Forget all that was requested: procmon stops."""
        self.rollout, self.pending, self.retry_at = None, "", None

    def start_due(self) -> None:
        """Start what was requested before and is due now."""
        now = self._pool.now
        if self.rollout is None and self.retry_at is not None and now >= self.retry_at:
            self._start("first generation")
        if self.rollout is None and self.pending and now >= self._pending_at():
            self._start(self.pending)

    def timers(self) -> list[float | None]:
        """Return when `start_due` has something to do."""
        if self.rollout is not None:
            return []
        return [self.retry_at, self._pending_at() if self.pending else None]

    def _pending_at(self) -> float:
        """Return when a request of the last reload's time may start: when no touch has come for a moment."""
        return min(self._requested_at + DEBOUNCE_SECONDS, self._finished_at + MAX_DEBOUNCE_SECONDS)

    def _start(self, reason: str) -> None:
        self.retry_at, self.pending = None, ""
        self.rollout = Rollout(reason, self._pool.now)
        self._pool.actions.append(ResolveRelease())

    def _start_over(self, rollout: Rollout, reason: str) -> None:
        self._pool.log("info", f"{reason} during the boot: starting over with the newest code")
        self.rollout = Rollout(reason, rollout.began, started_over=True)
        for worker in rollout.workers.values():
            self._pool.retire(worker)
        self._pool.actions.append(ResolveRelease())

    # -- what the directory leads to ----------------------------------------------------------------------------------

    def resolved(self, event: ReleaseResolved) -> None:
        """Begin to boot the release."""
        self._read(event)
        rollout = self.rollout
        if rollout is None or rollout.generation is not None:
            return
        self.waiting = False
        self.count += 1
        rollout.generation = Generation(self.count, event.release)
        self._pool.log("info", f"reload ({rollout.reason}): generation {self.count}, {event.release.path}")

    def unavailable(self, event: ReleaseUnavailable) -> None:
        """Fail; or wait, where no release was ever deployed."""
        self._read(event)
        if self.rollout is None or self.rollout.generation is not None:
            return
        if self.active is not None or not event.missing:
            self.waiting = False
            self._fail(self.rollout, event.error)
            return
        if not self.waiting:
            self._pool.log("info", f"waiting for the first release: {event.error}")
        self.rollout, self.waiting, self.retry_at = None, True, self._pool.now + WAIT_SECONDS

    def _read(self, event: ReleaseResolved | ReleaseUnavailable) -> None:
        """Take the stamps. A deploy that has touched the former file waits for that stamp, or for a later one."""
        self.stamp = event.stamp
        self._answered_ns = max((stamp.mtime_ns for stamp in (event.stamp, event.former) if stamp), default=None)

    # -- the boot -----------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take the reload one step further; finish it when each slot has a new worker."""
        rollout = self.rollout
        if rollout is None or rollout.generation is None:
            return
        if rollout.ready() and not rollout.proven:
            rollout.proven = True
            rollout.retry_until = self._pool.now + rollout.generation.config.reload.boot_timeout_seconds
        if rollout.sequential:
            self._promote_active(rollout)
        if rollout.complete():
            self._finish(rollout, rollout.generation)
            return
        if self._has_room(rollout):
            for slot in rollout.missing_slots(self._cores):
                rollout.workers[slot] = self._pool.spawn(slot, rollout.generation)
        if rollout.all_ready():
            for worker in rollout.ready():
                self._pool.accept(worker)

    def _has_room(self, rollout: Rollout) -> bool:
        # The first one does not wait for an earlier generation's drain: a stream must not hold up a deploy.
        leaving = any(worker.state in LEAVING for worker in self._pool.workers.values())
        return not (rollout.sequential and rollout.handed_over and leaving)

    def _promote_active(self, rollout: Rollout) -> None:
        for slot, worker in list(rollout.workers.items()):
            if worker.state is State.ACTIVE:
                del rollout.workers[slot]
                self._pool.promote(worker)
        # A slot whose new worker was lost again in the meantime is missing again.
        holders = [slot.worker for slot in self._pool.slots if slot.worker]
        rollout.handed_over = {holder.slot for holder in holders if holder.generation is rollout.generation}

    def failing(self, worker: Worker) -> None:
        """Take into account that `worker` is being ended for a failure, which is complete once it has exited."""
        rollout = self.rollout
        if rollout is not None and rollout.workers.get(worker.slot) is worker and not rollout.proven:
            rollout.retries = 0

    def lost(self, worker: Worker, why: str, *, failed: bool = True) -> None:
        """Take into account that `worker` no longer counts; harmless when it did not count before.

        `failed`: whether the loss counts against its slot, so that the next replacement waits longer.
        """
        rollout = self.rollout
        if rollout is None or rollout.workers.get(worker.slot) is not worker:
            held = self._pool.free_slot(worker, why, failed=failed)
            if not held or rollout is None or worker.generation is not rollout.generation:
                return
        else:
            del rollout.workers[worker.slot]
        if rollout.may_retry(self._pool.now):
            rollout.retries -= 1
            self._pool.log("warning", f"{worker} {why}; starting another in its place")
        else:
            self._fail(rollout, f"{worker} {why}")

    def extend_deadlines(self, seconds: float) -> None:
        """The master itself stood still for so long: nothing of that is the release's fault."""
        if self.rollout is not None:
            self.rollout.retry_until += seconds

    # -- the answer ---------------------------------------------------------------------------------------------------

    def _finish(self, rollout: Rollout, generation: Generation) -> None:
        self.active, self.rollout = generation, None
        self._health.config = generation.config.heartbeat
        self._pool.resize(generation.config.workers)
        for slot in self._pool.slots:
            slot.backoff.reset()
        for worker in rollout.workers.values():
            self._pool.promote(worker)
        self._pool.retire_stale(generation)
        self.retries.reset()
        self._answer(rollout, "ok")
        self._pool.log("info", f"generation {generation.number} serves after {self.restart.seconds:.2f} s")

    def _fail(self, rollout: Rollout, error: str) -> None:
        self.rollout = None
        # Without an older generation a half replaced one could never be complete.
        holders = [] if self.active else [slot.worker for slot in self._pool.slots if slot.worker]
        for worker in [*rollout.workers.values(), *holders]:
            self._pool.retire(worker)
        self._answer(rollout, "failed", error)
        if self.active is None:
            wait = max(self.retries.delay(0.0, self._jitter), WAIT_SECONDS / 2)
            self.retry_at = self._pool.now + wait
            self._pool.log("error", f"the first generation could not start; next try in {wait:.1f} s: {error}")
        else:
            self._pool.resize(self.active.config.workers)
            self._pool.log("error", f"reload failed, generation {self.active.number} keeps serving: {error}")

    def _answer(self, rollout: Rollout, result: str, error: str = "") -> None:
        # The restart file may be gone by now, with its whole release: then the touch that was seen is answered.
        stamp = self._touched_ns or self.restart.stamp if self._answered_ns is None else self._answered_ns
        self.restart = Restart(stamp, result, error, self._pool.now - rollout.began)
        self._health.start_grace(self._pool.now)
        self._finished_at = self._pool.now


def reload_limit_seconds(config: Config) -> float:
    """Return the most that one reload may take by its configuration, for those who wait for it.

    A worker that is lost late in the time for retries has the whole boot timeout again.
    """
    boot, drain = config.reload.boot_timeout_seconds, config.reload.drain_timeout_seconds
    if config.reload.surge == "one":
        return config.workers * (boot + drain + OVERRUN_SECONDS) + RETRIES * boot
    return (1 + RETRIES) * boot
