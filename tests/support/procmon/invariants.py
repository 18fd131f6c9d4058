"""What the core promises, whatever happens: looked at around each event of each story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procmon.core.actions import (
    Accept,
    Action,
    CheckUpgrade,
    Drain,
    ExecUpgrade,
    Listen,
    Probe,
    ResolveRelease,
    SendHeartbeat,
    Spawn,
)
from procmon.core.events import Event, ReleaseGone, WorkerEvent
from procmon.core.health import is_hung
from procmon.core.reload import Restart
from procmon.core.supervisor import Supervisor
from procmon.core.worker import ACCEPTS, BOOTING, State

BEGINNINGS = (Accept, SendHeartbeat, Listen, CheckUpgrade, Probe, ExecUpgrade, ResolveRelease, Spawn)
COMING = BOOTING | {State.READY, State.ACCEPTING}


@dataclass(frozen=True)
class Picture:
    """What an event finds: the workers that hold a slot, how many accept, and what was answered last."""

    holders: frozenset[int]
    serving: int
    restart: Restart
    stopping: bool


def observe(core: Supervisor) -> Picture:
    """Take a picture."""
    return Picture(holders(core), serving(core), core.reloads.restart, core.stopping)


def holders(core: Supervisor) -> frozenset[int]:
    """Name the workers that hold a slot."""
    return frozenset(slot.worker.number for slot in core.pool.slots if slot.worker)


def serving(core: Supervisor) -> int:
    """Count the workers that accept."""
    return sum(worker.state is State.ACTIVE for worker in core.pool.workers.values())


def check(before: Picture, event: Event, actions: Sequence[Action], core: Supervisor, now: float) -> None:
    """Assert that the core has kept its promises over one event."""
    due = core.deadline()
    assert due is None or due > now
    if core.stopping:
        assert not before.stopping or not [action for action in actions if isinstance(action, BEGINNINGS)]
        return
    drained = before.holders & {action.worker for action in actions if isinstance(action, Drain)}
    if core.reloads.active:
        no_worker_drains_before_as_many_accept(before, drained, core)
    if core.reloads.active and core.reloads.restart is not before.restart:
        if core.reloads.restart.result == "ok":
            a_reload_is_done_when_all_are_new(core)
        else:
            assert not drained
            a_failed_reload_changes_nothing(before, event, core, now)
    one_reload_at_a_time(core)


def no_worker_drains_before_as_many_accept(before: Picture, drained: frozenset[int], core: Supervisor) -> None:
    """A worker that held a slot leaves it to one that accepts."""
    assert not drained or serving(core) >= min(before.serving, core.config.workers)
    assert not drained & holders(core)


def a_reload_is_done_when_all_are_new(core: Supervisor) -> None:
    """Each slot is held by the new generation, and no worker of another one comes in."""
    assert [slot.worker and slot.worker.generation for slot in core.pool.slots] == [
        core.reloads.active
    ] * core.config.workers
    assert all(
        slot.replacement is None or slot.replacement.generation is core.reloads.active for slot in core.pool.slots
    )


def a_failed_reload_changes_nothing(before: Picture, event: Event, core: Supervisor, now: float) -> None:
    """No worker has lost its slot but the one that the event is about, and those that hung anyway."""
    about = {event.worker} if isinstance(event, WorkerEvent | ReleaseGone) else set()
    living = core.pool.workers
    lost = before.holders - holders(core) - about
    assert not {number for number in lost if number not in living or not is_hung(living[number], now)}


def one_reload_at_a_time(core: Supervisor) -> None:
    """Beside the generation that serves at most one is on its way, with no more workers than it may have."""
    workers = core.pool.workers.values()
    coming = {w.generation.number for w in workers if w.state in COMING and w.generation is not core.reloads.active}
    assert len(coming) <= 1
    assert core.reloads.active is None or all(number > core.reloads.active.number for number in coming)
    rollout = core.reloads.rollout
    extra = 1 if rollout and rollout.sequential else max(core.config.workers, rollout.slots if rollout else 0)
    wanted = [worker for worker in workers if worker.state in COMING | ACCEPTS and not worker.replace_reason]
    assert len(wanted) <= len(core.pool.slots) + extra
