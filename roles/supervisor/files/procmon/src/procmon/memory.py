# SPDX-License-Identifier: GPL-3.0-or-later
"""What a core knows as plain data, and back: that is what one procmon hands to the next.

A field that a later version adds has a default and is simply missing in what an earlier one wrote. A change that no
default can bridge needs another `handover.FORMAT`. Times stay what they are: both read the same monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from .backoff import Backoff
from .config import Config
from .core import Core, Restart
from .events import Answer, Mark, Release
from .heart import Heart
from .lifecycle import Generation, State, Worker
from .pool import Pool, Slot

OWN_TYPES = ("generation", "state")
HEART = ("failures", "reloads", "next_at", "streak", "quiet_until")


def remember(core: Core) -> dict[str, Any]:
    """Describe a core in which no rollout is under way."""
    workers = core.pool.workers.values()
    known = {generation.number: generation for generation in _generations(core, workers)}
    return {
        "generations": [asdict(generation) for generation in known.values()],
        "active": core.active.number if core.active else None,
        "count": core._generations,
        "workers": [_from_worker(worker) for worker in workers],
        "spawned": core.pool._spawned,
        "slots": [_from_slot(slot) for slot in core.pool.slots],
        "restart": asdict(core.restart),
        "mark": core._mark,
        "waiting": core._waiting,
        "listening": core._listening,
        "retry_at": core._retry_at,
        "retries": core._retries.failures,
        "upgrades": core.upgrade.number,
        "heart": _from_heart(core.heart),
    }


def recall(core: Core, state: Mapping[str, Any], settings: str = "") -> None:
    """Let a new core go on where the other one was, which has read `settings`.

    Raises KeyError, TypeError and ValueError for what it cannot.
    """
    unkept = _unkept(core.config, settings)
    generations = {one["number"]: _to_generation(one, unkept) for one in state["generations"]}
    core.active = None if state["active"] is None else generations[state["active"]]
    core._generations = state["count"]
    _recall_pool(core.pool, state, generations)
    core.restart = Restart(**state["restart"])
    core._mark = Mark(*state["mark"]) if state["mark"] else None
    core._waiting, core._listening = state["waiting"], state["listening"]
    core._retry_at, core._retries = state["retry_at"], Backoff(state["retries"])
    core.upgrade.number = state["upgrades"]
    _recall_heart(core.heart, state["heart"])


def _generations(core: Core, workers: Iterable[Worker]) -> list[Generation]:
    return [*([core.active] if core.active else []), *(worker.generation for worker in workers)]


def _unkept(config: Config, settings: str) -> Mapping[str, Any]:
    """Say what an earlier procmon did not keep with each release."""
    return {
        "app": config.app,
        "uvicorn": config.uvicorn,
        "idle_grace_seconds": config.reload.idle_grace_seconds,
        "settings": settings,
    }


def _to_generation(one: Mapping[str, Any], unkept: Mapping[str, Any]) -> Generation:
    return Generation(one["number"], Release(**{**unkept, **one["release"]}))


def _from_worker(worker: Worker) -> dict[str, Any]:
    plain = {item.name: getattr(worker, item.name) for item in fields(worker) if item.name not in OWN_TYPES}
    return {**plain, "generation": worker.generation.number, "state": worker.state.value}


def _to_worker(one: Mapping[str, Any], generations: Mapping[int, Generation]) -> Worker:
    return Worker(**{**one, "generation": generations[one["generation"]], "state": State(one["state"])})


def _from_slot(slot: Slot) -> dict[str, Any]:
    return {
        "number": slot.number,
        "holder": slot.holder.number if slot.holder else None,
        "spawn_at": slot.spawn_at,
        "failures": slot.backoff.failures,
        "lost": slot.lost,
    }


def _recall_pool(pool: Pool, state: Mapping[str, Any], generations: Mapping[int, Generation]) -> None:
    pool._spawned = state["spawned"]
    pool.workers = {one["number"]: _to_worker(one, generations) for one in state["workers"]}
    for one in state["slots"]:
        holder = pool.workers.get(one["holder"])
        backoff = Backoff(one["failures"])
        slot = Slot(one["number"], holder, spawn_at=one["spawn_at"], lost=one["lost"], backoff=backoff)
        if slot.number < len(pool.slots):
            pool.slots[slot.number] = slot
        elif holder is not None:
            # The configuration wants fewer now: this one serves until its successors do.
            slot.number = len(pool.slots)
            pool.slots.append(slot)


def _from_heart(heart: Heart) -> dict[str, Any]:
    return {**{name: getattr(heart, name) for name in HEART}, "last": asdict(heart.last) if heart.last else None}


def _recall_heart(heart: Heart, state: Mapping[str, Any]) -> None:
    for name in HEART:
        setattr(heart, name, state[name])
    heart.last = Answer(**state["last"]) if state["last"] else None
