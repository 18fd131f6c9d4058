# SPDX-License-Identifier: GPL-3.0-or-later
"""The master's decisions in one place: takes every event, and looks at the whole picture after each."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..config import Config
from .actions import Action, Exit, Listen, Probe, RefuseClients, SendHeartbeat, StopRefusing, Unlisten
from .events import (
    Accepted,
    DrainFinished,
    DrainStarted,
    Event,
    Exited,
    Failed,
    HeartbeatResult,
    Probed,
    ReleaseGone,
    ReleaseResolved,
    ReleaseUnavailable,
    ReloadRequested,
    Restored,
    Spawned,
    Started,
    Startup,
    StopRequested,
    Ticked,
    TimerFired,
    Touched,
    UpgradeChecked,
    UpgradeFailed,
    UpgradeRequested,
    WorkerEvent,
)
from .health import NOT_READY, HealthCheck, describe, is_healthy, question
from .pool import Pool
from .reload import Reloads
from .upgrade import Upgrade
from .worker import ACCEPTS, BOOTING, LEAVING, Generation, State, Worker, step

STALLED_SECONDS = 0.5
MIN_DELAY_SECONDS = 0.01
FINAL_EVENTS = (Failed, DrainFinished, Exited)
"""Events that may end a worker in any state without being a violation of the table."""


class Supervisor:
    """The state of one procmon. `jitter` returns numbers from -1 to 1; `cores` is how many workers boot at once."""

    def __init__(self, config: Config, jitter: Callable[[], float], cores: int = 1) -> None:
        self.pool = Pool(config.workers, jitter)
        self.health = HealthCheck(config.heartbeat)
        self.reloads = Reloads(self.pool, self.health, jitter, cores)
        self.upgrade = Upgrade()
        self.stopping = False
        self.listening = False
        self._config = config
        self._now = 0.0
        self._due: float | None = None
        self._refusing = ""
        self._exited = False

    # -- public interface ---------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at `now`; return what to do, in this order."""
        self._extend_deadlines(now)
        self._now = self.pool.now = now
        if isinstance(event, WorkerEvent):
            self._on_worker(event)
        else:
            self._HANDLERS[type(event)](self, event)
        if isinstance(event, TimerFired):
            self._enforce_deadlines()
        self._reconcile()
        actions, self.pool.actions = self.pool.actions, []
        self._due = self.deadline()
        return actions

    def deadline(self) -> float | None:
        """Return when to call `handle` with `TimerFired` if nothing happens before."""
        heartbeat_at = self.health.next_at if self.state == "serving" else None
        timers = [*self.pool.timers(), *self.reloads.timers(), heartbeat_at]
        # What is due but waits for something else is in the past. Deadlines wait for nothing but `TimerFired`.
        coming = [time for time in timers if time is not None and time > self._now]
        coming += [max(time, self._now + MIN_DELAY_SECONDS) for time in self.pool.deadlines()]
        return min(coming, default=None)

    @property
    def config(self) -> Config:
        """The configuration of what serves; before that the one that procmon was started with."""
        return self.reloads.active.config if self.reloads.active else self._config

    @property
    def state(self) -> str:
        """The master's state as status.json names it."""
        if self.stopping:
            return "stopping"
        if self.reloads.rollout is not None:
            return "booting" if self.reloads.active is None else "reloading"
        if self.reloads.active is None:
            return "waiting" if self.reloads.waiting else "failed"
        return "serving" if self.pool.is_serving() else "failed"

    def is_idle(self) -> bool:
        """Return whether all that is under way could go on under another master; a drain could, a boot could not."""
        busy = self.stopping or self.reloads.rollout is not None or self.reloads.pending
        steady = LEAVING | {State.ACTIVE}
        return not busy and all(worker.state in steady for worker in self.pool.workers.values())

    # -- what the master is asked for ---------------------------------------------------------------------------------

    def _on_startup(self, _event: Startup) -> None:
        self.reloads.request("start")

    def _on_stop_requested(self, _event: StopRequested) -> None:
        workers = list(self.pool.workers.values())
        if self.stopping:
            self.pool.log("warning", f"stop requested again: killing {_count(workers)}")
            for worker in workers:
                self.pool.kill(worker)
            return
        self.stopping = True
        self.reloads.cancel()
        self.pool.log("info", f"stopping: waiting for {_count(workers)} to finish")
        self.pool.actions.append(Unlisten())
        self.pool.stop()

    def _on_heartbeat(self, event: HeartbeatResult) -> None:
        self.health.finished()
        active = self.reloads.active
        if self.state != "serving" or active is None or event.generation != active.number:
            return
        reason = self.health.record(event.result, self._now)
        if reason:
            self.pool.log("error", f"{reason}; reloading")
            self.reloads.request(reason)

    def _on_restored(self, event: Restored) -> None:
        self.upgrade.answer("ok")
        self.pool.log("info", f"took over generation {self.reloads.count} with {len(self.pool.workers)} workers")
        if event.reason:
            self.reloads.request(event.reason)

    def _on_upgrade_requested(self, _event: UpgradeRequested) -> None:
        self.upgrade.requested = True

    def _on_upgrade_checked(self, event: UpgradeChecked) -> None:
        self.upgrade.record_check(event.error)
        if event.error:
            self.pool.log("error", f"upgrade refused, still running the current version: {event.error}")

    def _on_upgrade_failed(self, event: UpgradeFailed) -> None:
        self.upgrade.record_check(event.error)
        if event.error:
            self.pool.log("error", f"upgrade failed, still running the current version: {event.error}")

    # -- what workers send --------------------------------------------------------------------------------------------

    def _on_worker(self, event: WorkerEvent) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is None:
            return
        before, after = worker.state, step(worker.state, type(event))
        if after is not before:
            worker.enter(after, self._now)
        if after is State.DYING and before not in LEAVING and not isinstance(event, FINAL_EVENTS):
            self.pool.kill(worker)
            sent = type(event).__name__.lower()
            self.reloads.lost(worker, f'sent an unexpected "{sent}" while {before.value}')
        elif handler := self._WORKER_HANDLERS.get(type(event)):
            handler(self, worker, before, event)

    def _on_spawned(self, worker: Worker, _before: State, event: Spawned) -> None:
        worker.pid = event.pid

    def _on_started(self, worker: Worker, before: State, _event: Started) -> None:
        if before is State.LOADED:
            self.pool.actions.append(Probe(worker.number, worker.boot_by - self._now, worker.config.heartbeat))

    def _on_probed(self, worker: Worker, before: State, event: Probed) -> None:
        heartbeat = worker.config.heartbeat
        if before is State.PROBING and not is_healthy(event.result, heartbeat):
            self.reloads.failing(worker)
            waited = f", still after {self._now - worker.born:.0f} s" if event.result.status == NOT_READY else ""
            self.pool.end(worker, f"failed its probe: {describe(event.result, heartbeat)}{waited}")

    def _on_accepted(self, worker: Worker, before: State, _event: Accepted) -> None:
        if before is State.ACCEPTING:
            worker.accept_by = None

    def _on_ticked(self, worker: Worker, before: State, event: Ticked) -> None:
        worker.last_tick = self._now
        worker.requests, worker.in_flight = event.requests, event.in_flight
        worker.connections, worker.rss_bytes = event.connections, event.rss_bytes
        if isinstance(event, DrainStarted) and before in ACCEPTS:
            self.pool.limit_drain(worker)
            self.reloads.lost(worker, "drains without being asked to (SIGTERM to the worker itself?)", failed=False)

    def _on_drain_finished(self, worker: Worker, before: State, event: DrainFinished) -> None:
        if before is State.DYING:
            return
        self.pool.await_exit(worker)
        if event.cut:
            self.pool.log("warning", f"{worker} had to abort {event.cut} requests")
        self.reloads.lost(worker, "ended without being asked to", failed=False)

    def _on_failed(self, worker: Worker, before: State, event: Failed) -> None:
        if before is State.DYING:
            return
        self.pool.await_exit(worker)
        self.reloads.lost(worker, f"failed ({event.stage}): {event.error}")

    def _on_exited(self, worker: Worker, before: State, event: Exited) -> None:
        del self.pool.workers[worker.number]
        if before in LEAVING:
            self.pool.log("info", f"{worker} exited ({event.how})")
        output = f"; last output: {event.tail}" if event.tail else ""
        self.reloads.lost(worker, f"{worker.failure or f'exited ({event.how})'}{output}")

    def _on_release_gone(self, event: ReleaseGone) -> None:
        worker = self.pool.workers.pop(event.worker, None)
        if worker is None:
            return
        self.reloads.lost(worker, f"could not start: {worker.generation.release.path} no longer exists")
        if self.reloads.rollout is None:
            # One that is under way brings the newest code already.
            self.reloads.request("the release that serves was deleted")

    # -- the whole picture --------------------------------------------------------------------------------------------

    def _enforce_deadlines(self) -> None:
        """End what is overdue. Only when a timer fires: whatever came in time has been read before it."""
        for worker in list(self.pool.workers.values()):
            self._enforce_deadline(worker)
        if not self.stopping:
            self.pool.replace_hung()

    def _enforce_deadline(self, worker: Worker) -> None:
        if worker.state in BOOTING and self._now >= worker.boot_by:
            self.reloads.failing(worker)
            self.pool.abort(worker, f"was not ready within boot_timeout: {self._describe_boot(worker)}")
        elif worker.state is State.ACCEPTING and worker.accept_by is not None and self._now >= worker.accept_by:
            self.pool.abort(worker, "did not confirm that it accepts")
        elif worker.kill_at is not None and self._now >= worker.kill_at:
            self.pool.log("warning", f"{worker} does not exit: killing it with {worker.in_flight} requests in flight")
            self.pool.kill(worker)
        elif worker.abort_at is not None and self._now >= worker.abort_at:
            self.pool.abort(worker)

    def _describe_boot(self, worker: Worker) -> str:
        asks = f", {question(worker.config.heartbeat)}," if worker.state is State.PROBING else ""
        return f"still {worker.state.value}{asks} after {self._now - worker.born:.0f} s"

    def _reconcile(self) -> None:
        """Do whatever is due now, in the order in which one may enable the next."""
        self.reloads.start_due()
        self.reloads.advance()
        if (active := self.reloads.active) is not None and not self.stopping:
            self._maintain_pool(active)
        self._update_socket()
        self._send_heartbeat()
        if self.is_idle() and (action := self.upgrade.next()):
            self.pool.actions.append(action)
        if self.stopping and not self.pool.workers and not self._exited:
            self._exited = True
            self.pool.actions.append(Exit(0))

    def _maintain_pool(self, active: Generation) -> None:
        self.pool.advance()
        if self.reloads.rollout is None:
            self.pool.recycle_expired(active)
        self.pool.fill(active)

    def _update_socket(self) -> None:
        """Listen before the first worker accepts; until then answer those whom a held socket keeps waiting."""
        if not self.listening and self.pool.is_accepting():
            self.listening = True
            self.pool.actions.insert(0, Listen())
        reason = self._refusal()
        if reason != self._refusing:
            # Before any worker is ordered to accept, so that both never accept at once.
            self.pool.actions.insert(0, RefuseClients(reason) if reason else StopRefusing())
            self._refusing = reason

    def _refusal(self) -> str:
        """Return why clients are refused; empty while they are served, or may be in a moment."""
        if self.reloads.active is not None or self.stopping or self.pool.is_accepting():
            return ""
        if self.reloads.waiting:
            return "no release has been deployed yet"
        return "the release could not be started" if self.reloads.restart.result == "failed" else ""

    def _send_heartbeat(self) -> None:
        active = self.reloads.active
        if self.state == "serving" and active is not None and self.health.due(self._now):
            self.pool.actions.append(SendHeartbeat(active.number, self.health.config))

    def _extend_deadlines(self, now: float) -> None:
        """Put off what became due while the master stood still: what the workers sent then is still unread."""
        if self._due is None or now - self._due <= STALLED_SECONDS:
            return
        # When it stopped is unknown: at the earliest after the event before this one.
        stood_still = now - self._now
        self.pool.extend_deadlines(stood_still)
        self.reloads.extend_deadlines(stood_still)

    _HANDLERS: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Startup: _on_startup,
        TimerFired: lambda _self, _event: None,  # `_enforce_deadlines` and `_reconcile` do the rest
        Touched: lambda self, event: self.reloads.touched(event),
        ReloadRequested: lambda self, event: self.reloads.request(event.reason),
        StopRequested: _on_stop_requested,
        ReleaseResolved: lambda self, event: self.reloads.resolved(event),
        ReleaseUnavailable: lambda self, event: self.reloads.unavailable(event),
        HeartbeatResult: _on_heartbeat,
        ReleaseGone: _on_release_gone,
        Restored: _on_restored,
        UpgradeRequested: _on_upgrade_requested,
        UpgradeChecked: _on_upgrade_checked,
        UpgradeFailed: _on_upgrade_failed,
    }
    _WORKER_HANDLERS: ClassVar[dict[type[WorkerEvent], Callable[..., None]]] = {
        Spawned: _on_spawned,
        Started: _on_started,
        Probed: _on_probed,
        Accepted: _on_accepted,
        Ticked: _on_ticked,
        DrainStarted: _on_ticked,
        DrainFinished: _on_drain_finished,
        Failed: _on_failed,
        Exited: _on_exited,
    }


def _count(workers: list[Worker]) -> str:
    return f"{len(workers)} worker{'' if len(workers) == 1 else 's'}"
