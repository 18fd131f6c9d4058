# SPDX-License-Identifier: GPL-3.0-or-later
"""The master's decisions: events and the time in, actions out. Nothing here touches the world.

What always holds: an old worker is told to drain only when as many new ones accept; one rollout runs at a time; a
reload asked for meanwhile is remembered and merged into one; a rollout that fails changes nothing that serves.

After each event the whole picture is looked at again (`_settle`), so that no combination of events needs its own rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .actions import Action, Beat, Exit, Listen, Probe, Resolve, Unlisten
from .backoff import Backoff
from .config import Config
from .events import (
    Accepted,
    Adopted,
    Begin,
    Drained,
    Drains,
    Event,
    Exited,
    Failed,
    HeartbeatAnswered,
    Mark,
    Preflighted,
    Probed,
    ReleaseGone,
    ReloadAsked,
    Resolved,
    Spawned,
    Started,
    Stayed,
    StopAsked,
    Ticked,
    Touched,
    Unresolved,
    UpgradeAsked,
    Woke,
    WorkerEvent,
)
from .heart import Heart, describe
from .lifecycle import ACCEPTS, BOOTING, LEAVING, Generation, State, Worker, step
from .pool import Pool
from .rollout import Rollout
from .upgrade import Upgrade

WAIT_SECONDS = 1.0
LATE_SECONDS = 0.5
SOON_SECONDS = 0.01
QUIET_SECONDS = 0.2
MOST_QUIET_SECONDS = 1.0
SPOKEN = (Failed, Drained, Exited)
"""Events that may end a worker in any state without being a breach of the table."""


@dataclass(frozen=True)
class Restart:
    """The answer to the newest touch. `stamp` is the restart file's mtime in nanoseconds."""

    stamp: int | None = None
    result: str | None = None
    error: str = ""
    seconds: float = 0.0


class Core:
    """The state of one procmon. `jitter` gives numbers from -1 to 1."""

    def __init__(self, config: Config, jitter: Callable[[], float]) -> None:
        self.config = config
        self.pool = Pool(config, jitter)
        self.heart = Heart(config.heartbeat)
        self.active: Generation | None = None
        self.rollout: Rollout | None = None
        self.restart = Restart()
        self.upgrade = Upgrade()
        self.stopping = False
        self._jitter = jitter
        self._now = 0.0
        self._due: float | None = None
        self._mark: Mark | None = None
        self._touched: int | None = None
        self._pending = ""
        self._asked_at = self._free_at = 0.0
        self._waiting = False
        self._listening = False
        self._exited = False
        self._generations = 0
        self._retry_at: float | None = None
        self._retries = Backoff()

    # -- the two doors ------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at `now`; return what to do, in this order."""
        self._forgive(now)
        self._now = self.pool.now = now
        if isinstance(event, WorkerEvent):
            self._on_worker(event)
        else:
            self._HANDLERS[type(event)](self, event)
        if isinstance(event, Woke):
            self._judge()
        self._settle()
        actions, self.pool.actions = self.pool.actions, []
        self._due = self.deadline()
        return actions

    def deadline(self) -> float | None:
        """Say when to call `handle` with `Woke` if nothing happens before."""
        retry_at = self._retry_at if self.rollout is None else None
        beat_at = self.heart.next_at if self.state == "serving" else None
        pending_at = self._pending_at() if self.rollout is None and self._pending else None
        times = [*self.pool.times(), retry_at, beat_at, pending_at]
        # What is due but waits for something else is in the past. Judgements wait for nothing but `Woke`.
        coming = [time for time in times if time is not None and time > self._now]
        coming += [max(time, self._now + SOON_SECONDS) for time in self.pool.judgements()]
        return min(coming, default=None)

    @property
    def state(self) -> str:
        """The master's state as status.json names it."""
        if self.stopping:
            return "stopping"
        if self.rollout is not None:
            return "booting" if self.active is None else "reloading"
        if self.active is None:
            return "waiting" if self._waiting else "failed"
        return "serving" if self.pool.serving() else "failed"

    # -- what is asked of the master ----------------------------------------------------------------------------------

    def _on_begin(self, _event: Begin) -> None:
        self._ask_reload("start")

    def _on_woke(self, _event: Woke) -> None:
        """Time passed: `_judge` and `_settle` do the rest."""

    def _on_touched(self, event: Touched) -> None:
        # A rollout reads the mark itself before it resolves the directory: the same mark later is old news.
        if event.mark != self._mark:
            self._touched = event.mark.mtime_ns
            self._ask_reload("the restart file was touched")

    def _on_reload_asked(self, event: ReloadAsked) -> None:
        self._ask_reload(event.reason)

    def _on_stop_asked(self, _event: StopAsked) -> None:
        workers = list(self.pool.workers.values())
        if self.stopping:
            self.pool.log("warning", f"asked to stop again: killing {len(workers)} workers")
            for worker in workers:
                self.pool.kill(worker)
            return
        self.stopping = True
        self.rollout, self._pending, self._retry_at = None, "", None
        self.pool.log("info", f"stopping: {len(workers)} workers finish what they have")
        self.pool.actions.append(Unlisten())
        self.pool.stop()

    def _ask_reload(self, reason: str) -> None:
        if self.stopping:
            return
        rollout, self._asked_at = self.rollout, self._now
        if rollout is None and not self._pending:
            self._retries.reset()
            self._start_rollout(reason)
        elif rollout is None:
            self._pending = reason
        elif rollout.generation is None:
            # It has yet to read the directory, and will find the newest code there.
            return
        elif rollout.may_start_over():
            self._start_over(rollout, reason)
        else:
            self._pending = reason

    # -- a rollout ----------------------------------------------------------------------------------------------------

    def _start_rollout(self, reason: str) -> None:
        self._retry_at, self._pending = None, ""
        self.rollout = Rollout(reason, self._now, one_by_one=self.config.reload.surge == "one")
        self.pool.actions.append(Resolve())

    def _start_over(self, rollout: Rollout, reason: str) -> None:
        self.pool.log("info", f"{reason} during the boot: starting over with the newest code")
        self.rollout = Rollout(reason, rollout.began, rollout.one_by_one, started_over=True)
        for worker in rollout.workers.values():
            self.pool.retire(worker)
        self.pool.actions.append(Resolve())

    def _on_resolved(self, event: Resolved) -> None:
        self._mark = event.mark
        rollout = self.rollout
        if rollout is None or rollout.generation is not None:
            return
        self._waiting = False
        self._generations += 1
        rollout.generation = Generation(self._generations, event.release)
        rollout.boot_by = self._now + self.config.reload.boot_timeout_seconds
        which = f"generation {self._generations}, {event.release.path}"
        self.pool.log("info", f"reload ({rollout.reason}): {which}")

    def _on_unresolved(self, event: Unresolved) -> None:
        self._mark = event.mark
        if self.rollout is None or self.rollout.generation is not None:
            return
        if self.active is not None or not event.missing:
            self._waiting = False
            self._abandon(self.rollout, event.error)
            return
        if not self._waiting:
            self.pool.log("info", f"waiting for the first release: {event.error}")
        self.rollout, self._waiting, self._retry_at = None, True, self._now + WAIT_SECONDS

    def _advance_rollout(self) -> None:
        rollout, slots = self.rollout, self.config.workers
        if rollout is None or rollout.generation is None:
            return
        rollout.proven = rollout.proven or bool(rollout.ready())
        if rollout.one_by_one:
            self._hand_over(rollout)
        if rollout.complete(slots):
            self._commit(rollout, rollout.generation)
            return
        if self._has_room(rollout):
            for slot in rollout.lacking(slots):
                rollout.workers[slot] = self.pool.spawn(slot, rollout.generation, self._boot_by(rollout))
        if not rollout.booting() and (rollout.one_by_one or len(rollout.workers) == slots):
            for worker in rollout.ready():
                self.pool.accept(worker)

    def _boot_by(self, rollout: Rollout) -> float:
        # One by one, the next worker may have to wait for a drain: its time starts with it.
        return self._now + self.config.reload.boot_timeout_seconds if rollout.one_by_one else rollout.boot_by

    def _has_room(self, rollout: Rollout) -> bool:
        # The canary does not wait for an earlier generation's drain: a deploy must not hang on somebody's stream.
        leaving = any(worker.state in LEAVING for worker in self.pool.workers.values())
        return not (rollout.one_by_one and rollout.done and leaving)

    def _hand_over(self, rollout: Rollout) -> None:
        for slot, worker in list(rollout.workers.items()):
            if worker.state is State.ACTIVE:
                del rollout.workers[slot]
                self.pool.take(worker)
        # Whoever has lost his slot again meanwhile is lacking again.
        holders = [slot.holder for slot in self.pool.slots if slot.holder]
        rollout.done = {holder.slot for holder in holders if holder.generation is rollout.generation}

    def _commit(self, rollout: Rollout, generation: Generation) -> None:
        self.active, self.rollout = generation, None
        for slot in self.pool.slots:
            slot.backoff.reset()
        for worker in rollout.workers.values():
            self.pool.take(worker)
        self.pool.trim()
        self.pool.turn_back(generation)
        self._retries.reset()
        self._answer(rollout, "ok")
        self.pool.log("info", f"generation {generation.number} serves after {self.restart.seconds:.2f} s")
        self._after_rollout()

    def _abandon(self, rollout: Rollout, error: str) -> None:
        self.rollout = None
        # Without an older generation nobody could keep a half replaced one complete.
        holders = [] if self.active else [slot.holder for slot in self.pool.slots if slot.holder]
        for worker in [*rollout.workers.values(), *holders]:
            self.pool.retire(worker)
        self._answer(rollout, "failed", error)
        if self.active is None:
            wait = max(self._retries.delay(0.0, self._jitter), WAIT_SECONDS / 2)
            self._retry_at = self._now + wait
            self.pool.log("error", f"the first generation could not start; next try in {wait:.1f} s: {error}")
        else:
            self.pool.log("error", f"reload failed, generation {self.active.number} keeps serving: {error}")
        self._after_rollout()

    def _answer(self, rollout: Rollout, result: str, error: str = "") -> None:
        # Where the restart file has gone since, with its whole release perhaps, the touch that was seen is answered.
        stamp = self._mark.mtime_ns if self._mark else self._touched or self.restart.stamp
        self.restart = Restart(stamp, result, error, self._now - rollout.began)

    def _after_rollout(self) -> None:
        self.heart.rest(self._now)
        self._free_at = self._now

    def _pending_at(self) -> float:
        """Say when what was asked during the last rollout may start: when nobody has touched for a moment."""
        return min(self._asked_at + QUIET_SECONDS, self._free_at + MOST_QUIET_SECONDS)

    def _start_pending(self) -> None:
        if self.rollout is None and self._pending and self._now >= self._pending_at():
            self._start_rollout(self._pending)

    # -- a worker -----------------------------------------------------------------------------------------------------

    def _on_worker(self, event: WorkerEvent) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is None:
            return
        before, after = worker.state, step(worker.state, type(event))
        if after is not before:
            worker.enter(after, self._now)
        if after is State.DYING and before not in LEAVING and not isinstance(event, SPOKEN):
            self._distrust(worker, before, event)
        elif handler := self._WORKER_HANDLERS.get(type(event)):
            handler(self, worker, before, event)

    def _distrust(self, worker: Worker, before: State, event: WorkerEvent) -> None:
        self.pool.kill(worker)
        self._lost(worker, f"said {type(event).__name__.lower()} while it was {before.value}")

    def _on_spawned(self, worker: Worker, _before: State, event: Spawned) -> None:
        worker.pid = event.pid

    def _on_started(self, worker: Worker, before: State, _event: Started) -> None:
        if before is State.LOADED:
            self.pool.actions.append(Probe(worker.number, worker.boot_by - self._now))

    def _on_probed(self, worker: Worker, before: State, event: Probed) -> None:
        if before is State.PROBING and not self.heart.well(event.answer):
            self.pool.kill(worker)
            self._lost(worker, f"did not pass its probe of {self.config.heartbeat.path}: {describe(event.answer)}")

    def _on_accepted(self, worker: Worker, before: State, _event: Accepted) -> None:
        if before is State.ACCEPTING:
            worker.accept_by = None

    def _on_ticked(self, worker: Worker, before: State, event: Ticked) -> None:
        worker.last_tick = self._now
        worker.requests, worker.in_flight = event.requests, event.in_flight
        worker.connections, worker.rss_bytes = event.connections, event.rss_bytes
        if isinstance(event, Drains) and before in ACCEPTS:
            self.pool.watch_drain(worker)
            self._lost(worker, "drains although nobody here told it to")

    def _on_drained(self, worker: Worker, before: State, event: Drained) -> None:
        if before is State.DYING:
            return
        self.pool.let_exit(worker)
        if event.cut:
            self.pool.log("warning", f"{worker} had to cut {event.cut} requests")
        self._lost(worker, "ended although nobody here told it to")

    def _on_failed(self, worker: Worker, before: State, event: Failed) -> None:
        if before is State.DYING:
            return
        self.pool.let_exit(worker)
        self._lost(worker, f"failed ({event.stage}): {event.error}")

    def _on_exited(self, worker: Worker, before: State, event: Exited) -> None:
        del self.pool.workers[worker.number]
        if before in LEAVING:
            self.pool.log("info", f"{worker} ended with {event.how}")
        self._lost(worker, f"ended with {event.how}{event.tail and f', its last words: {event.tail}'}")

    def _on_release_gone(self, event: ReleaseGone) -> None:
        worker = self.pool.workers.pop(event.worker, None)
        if worker is None:
            return
        self._lost(worker, f"could not start: {worker.generation.release.path} no longer exists")
        if self.rollout is None:
            # One that is under way brings the newest code already.
            self._ask_reload("the release that serves was deleted")

    def _lost(self, worker: Worker, why: str) -> None:
        """`worker` no longer counts, whatever it was here for; harmless when it did not count before."""
        rollout = self.rollout
        if rollout is None or rollout.workers.get(worker.slot) is not worker:
            counted = self.pool.vacate(worker, why)
            if not counted or rollout is None or worker.generation is not rollout.generation:
                return
        else:
            del rollout.workers[worker.slot]
        in_time = rollout.one_by_one or self._now < rollout.boot_by
        if rollout.proven and rollout.retries and in_time:
            rollout.retries -= 1
            self.pool.log("warning", f"{worker} {why}; starting another in its place")
        else:
            self._abandon(rollout, f"{worker} {why}")

    # -- the whole picture --------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """End what is overdue. Only now: whatever had been said in time was heard before the clock."""
        for worker in list(self.pool.workers.values()):
            self._end_overdue(worker)
        if not self.stopping:
            self.pool.find_hung()

    def _settle(self) -> None:
        self._retry()
        self._start_pending()
        self._advance_rollout()
        if self.active is not None and not self.stopping:
            self._keep_full(self.active)
        self._listen()
        self._beat()
        self._upgrade()
        self._finish()

    def _keep_full(self, active: Generation) -> None:
        self.pool.bring_in()
        if self.rollout is None:
            self.pool.find_worn(active)
        self.pool.fill(active)

    def _end_overdue(self, worker: Worker) -> None:
        if worker.state in BOOTING and self._now >= worker.boot_by:
            stage, seconds = worker.state.value, self._now - worker.born
            self.pool.abort(worker)
            self._lost(worker, f"was not ready within boot_timeout: still {stage} after {seconds:.0f} s")
        elif worker.state is State.ACCEPTING and worker.accept_by is not None and self._now >= worker.accept_by:
            self.pool.abort(worker)
            self._lost(worker, "did not confirm that it accepts")
        elif worker.kill_at is not None and self._now >= worker.kill_at:
            self.pool.log("warning", f"{worker} does not end: killing it with {worker.in_flight} requests in flight")
            self.pool.kill(worker)
        elif worker.abort_at is not None and self._now >= worker.abort_at:
            self.pool.abort(worker)

    def _retry(self) -> None:
        if self.rollout is None and self._retry_at is not None and self._now >= self._retry_at:
            self._start_rollout("first generation")

    def _listen(self) -> None:
        if not self._listening and any(worker.state in ACCEPTS for worker in self.pool.workers.values()):
            self._listening = True
            self.pool.actions.insert(0, Listen())

    def _beat(self) -> None:
        if self.state == "serving" and self.active is not None and self.heart.due(self._now):
            self.pool.actions.append(Beat(self.active.number))

    def _on_heartbeat(self, event: HeartbeatAnswered) -> None:
        self.heart.over()
        if self.state != "serving" or self.active is None or event.generation != self.active.number:
            return
        reason = self.heart.judge(event.answer, self._now)
        if reason:
            self.pool.log("error", f"{reason}; reloading")
            self._ask_reload(reason)

    def calm(self) -> bool:
        """Say whether nothing is under way that a successor could not go on with; a drain it can, a boot it cannot."""
        steady = LEAVING | {State.ACTIVE}
        return not (self.stopping or self.rollout or self._pending) and all(
            worker.state in steady for worker in self.pool.workers.values()
        )

    def _upgrade(self) -> None:
        if self.calm() and (action := self.upgrade.next()):
            self.pool.actions.append(action)

    def _on_adopted(self, event: Adopted) -> None:
        self.upgrade.answer("ok")
        self.pool.log("info", f"took over generation {self._generations} with {len(self.pool.workers)} workers")
        if event.reason:
            self._ask_reload(event.reason)

    def _on_upgrade_asked(self, _event: UpgradeAsked) -> None:
        self.upgrade.asked = True

    def _on_preflighted(self, event: Preflighted) -> None:
        self.upgrade.judge(event.error)
        if event.error:
            self.pool.log("error", f"upgrade refused, this procmon goes on: {event.error}")

    def _on_stayed(self, event: Stayed) -> None:
        self.upgrade.judge(event.error)
        if event.error:
            self.pool.log("error", f"upgrade failed, this procmon goes on: {event.error}")

    def _finish(self) -> None:
        if self.stopping and not self.pool.workers and not self._exited:
            self._exited = True
            self.pool.actions.append(Exit(0))

    def _forgive(self, now: float) -> None:
        """Put off what became due while the master stood still: what the workers said meanwhile is still unread."""
        if self._due is None or now - self._due <= LATE_SECONDS:
            return
        # When it stopped is unknown: at the earliest after the event before this one.
        stood_still = now - self._now
        self.pool.forgive(stood_still)
        if self.rollout is not None:
            self.rollout.boot_by += stood_still

    _HANDLERS: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Begin: _on_begin,
        Woke: _on_woke,
        Touched: _on_touched,
        ReloadAsked: _on_reload_asked,
        StopAsked: _on_stop_asked,
        Resolved: _on_resolved,
        Unresolved: _on_unresolved,
        HeartbeatAnswered: _on_heartbeat,
        ReleaseGone: _on_release_gone,
        Adopted: _on_adopted,
        UpgradeAsked: _on_upgrade_asked,
        Preflighted: _on_preflighted,
        Stayed: _on_stayed,
    }
    _WORKER_HANDLERS: ClassVar[dict[type[WorkerEvent], Callable[..., None]]] = {
        Spawned: _on_spawned,
        Started: _on_started,
        Probed: _on_probed,
        Accepted: _on_accepted,
        Ticked: _on_ticked,
        Drains: _on_ticked,
        Drained: _on_drained,
        Failed: _on_failed,
        Exited: _on_exited,
    }
