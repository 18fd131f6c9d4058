"""What the core promises, whatever happens: looked at around each event of each story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procmon.actions import Accept, Action, Beat, Drain, Listen, Preflight, Probe, Replace, Resolve, Spawn
from procmon.core import Core, Restart
from procmon.events import Event, ReleaseGone, WorkerEvent
from procmon.lifecycle import ACCEPTS, BOOTING, State

BEGINNINGS = (Accept, Beat, Listen, Preflight, Probe, Replace, Resolve, Spawn)
COMING = BOOTING | {State.READY, State.ACCEPTING}


@dataclass(frozen=True)
class Picture:
    """What an event finds: the workers that hold a slot, how many accept, and what was answered last."""

    holders: frozenset[int]
    serving: int
    restart: Restart
    stopping: bool


def look(core: Core) -> Picture:
    """Take a picture."""
    return Picture(holders(core), serving(core), core.restart, core.stopping)


def holders(core: Core) -> frozenset[int]:
    """Name the workers that hold a slot."""
    return frozenset(slot.holder.number for slot in core.pool.slots if slot.holder)


def serving(core: Core) -> int:
    """Count the workers that accept."""
    return sum(worker.state is State.ACTIVE for worker in core.pool.workers.values())


def keeps(before: Picture, event: Event, actions: Sequence[Action], core: Core, now: float) -> None:
    """Assert that the core has kept its promises over one event."""
    due = core.deadline()
    assert due is None or due > now
    if core.stopping:
        assert not before.stopping or not [action for action in actions if isinstance(action, BEGINNINGS)]
        return
    drained = before.holders & {action.worker for action in actions if isinstance(action, Drain)}
    if core.active:
        nobody_drains_before_as_many_accept(before, drained, core)
    if core.active and core.restart is not before.restart:
        if core.restart.result == "ok":
            a_reload_is_done_when_all_are_new(core)
        else:
            assert not drained
            a_failed_reload_changes_nothing(before, event, core)
    one_reload_at_a_time(core)


def nobody_drains_before_as_many_accept(before: Picture, drained: frozenset[int], core: Core) -> None:
    """Whoever held a slot leaves it to somebody who accepts."""
    assert not drained or serving(core) >= min(before.serving, core.config.workers)
    assert not drained & holders(core)


def a_reload_is_done_when_all_are_new(core: Core) -> None:
    """Each slot is held by the new generation, and nobody comes in from another one."""
    assert [slot.holder and slot.holder.generation for slot in core.pool.slots] == [core.active] * core.config.workers
    assert all(slot.incoming is None or slot.incoming.generation is core.active for slot in core.pool.slots)


def a_failed_reload_changes_nothing(before: Picture, event: Event, core: Core) -> None:
    """Nobody has lost his slot but the worker that the event is about, and those that were stuck anyway."""
    about = {event.worker} if isinstance(event, WorkerEvent | ReleaseGone) else set()
    living = core.pool.workers
    lost = before.holders - holders(core) - about
    assert not {number for number in lost if number not in living or not core.pool.hung(living[number])}


def one_reload_at_a_time(core: Core) -> None:
    """Beside the generation that serves at most one is on its way, with no more workers than it may have."""
    workers = core.pool.workers.values()
    coming = {w.generation.number for w in workers if w.state in COMING and w.generation is not core.active}
    assert len(coming) <= 1
    assert core.active is None or all(number > core.active.number for number in coming)
    extra = 1 if core.config.reload.surge == "one" else core.config.workers
    wanted = [worker for worker in workers if worker.state in COMING | ACCEPTS and not worker.unwanted]
    assert len(wanted) <= len(core.pool.slots) + extra
