# SPDX-License-Identifier: GPL-3.0-or-later
"""What a supervisor knows as plain data, and back: that is what one procmon hands to the next.

A field that a later version adds has a default and is simply missing in what an earlier one wrote. A change that no
default can bridge needs another `master.handover.FORMAT`. Times stay what they are: both read the same monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from ..config import parse
from .backoff import Backoff
from .events import FileStamp, ProbeResult, Release
from .health import HealthCheck
from .pool import Pool, Slot
from .reload import Reloads, Restart
from .supervisor import Supervisor
from .worker import Generation, State, Worker

OWN_FORM = ("generation", "state")
HEALTH = ("failures", "reloads", "next_at", "consecutive_reloads", "grace_until")


def dump(supervisor: Supervisor) -> dict[str, Any]:
    """Describe a supervisor that is idle."""
    reloads, pool = supervisor.reloads, supervisor.pool
    generations = [*([reloads.active] if reloads.active else []), *(one.generation for one in pool.workers.values())]
    return {
        "generations": [_dump_generation(one) for one in {one.number: one for one in generations}.values()],
        "active": reloads.active.number if reloads.active else None,
        "count": reloads.count,
        "workers": [_dump_worker(worker) for worker in pool.workers.values()],
        "spawned": pool.spawned,
        "slots": [_dump_slot(slot) for slot in pool.slots],
        "restart": asdict(reloads.restart),
        "stamp": reloads.stamp,
        "waiting": reloads.waiting,
        "listening": supervisor.listening,
        "retry_at": reloads.retry_at,
        "retries": reloads.retries.failures,
        "upgrades": supervisor.upgrade.number,
        "health": _dump_health(supervisor.health),
    }


def load(supervisor: Supervisor, state: Mapping[str, Any]) -> None:
    """Restore the state of another supervisor in a new one.

    Raises ConfigError, KeyError, TypeError and ValueError for what it cannot.
    """
    generations = {one["number"]: _load_generation(one) for one in state["generations"]}
    _load_pool(supervisor.pool, state, generations)
    _load_reloads(supervisor.reloads, state, generations)
    supervisor.listening = state["listening"]
    supervisor.upgrade.number = state["upgrades"]
    _load_health(supervisor.health, state["health"])
    if supervisor.reloads.active:
        supervisor.health.config = supervisor.reloads.active.config.heartbeat


def _dump_generation(generation: Generation) -> dict[str, Any]:
    release = generation.release
    kept = {"path": release.path, "commit": release.commit, "python": release.python, "env": dict(release.env)}
    config = {"config": release.config.document, "config_digest": release.config.digest}
    return {"number": generation.number, "release": {**kept, **config}}


def _load_generation(one: Mapping[str, Any]) -> Generation:
    kept = dict(one["release"])
    config = replace(parse(kept.pop("config")), digest=kept.pop("config_digest"))
    return Generation(one["number"], Release(config=config, **kept))


def _dump_worker(worker: Worker) -> dict[str, Any]:
    plain = {item.name: getattr(worker, item.name) for item in fields(worker) if item.name not in OWN_FORM}
    return {**plain, "generation": worker.generation.number, "state": worker.state.value}


def _load_worker(one: Mapping[str, Any], generations: Mapping[int, Generation]) -> Worker:
    return Worker(**{**one, "generation": generations[one["generation"]], "state": State(one["state"])})


def _dump_slot(slot: Slot) -> dict[str, Any]:
    return {
        "number": slot.number,
        "worker": slot.worker.number if slot.worker else None,
        "spawn_at": slot.spawn_at,
        "failures": slot.backoff.failures,
        "last_loss": slot.last_loss,
    }


def _load_pool(pool: Pool, state: Mapping[str, Any], generations: Mapping[int, Generation]) -> None:
    pool.spawned = state["spawned"]
    pool.workers = {one["number"]: _load_worker(one, generations) for one in state["workers"]}
    pool.slots = [
        Slot(
            one["number"],
            pool.workers.get(one["worker"]),
            spawn_at=one["spawn_at"],
            last_loss=one["last_loss"],
            backoff=Backoff(one["failures"]),
        )
        for one in state["slots"]
    ]


def _load_reloads(reloads: Reloads, state: Mapping[str, Any], generations: Mapping[int, Generation]) -> None:
    reloads.active = None if state["active"] is None else generations[state["active"]]
    reloads.count = state["count"]
    reloads.restart = Restart(**state["restart"])
    reloads.stamp = FileStamp(*state["stamp"]) if state["stamp"] else None
    reloads.waiting = state["waiting"]
    reloads.retry_at, reloads.retries = state["retry_at"], Backoff(state["retries"])


def _dump_health(health: HealthCheck) -> dict[str, Any]:
    return {**{name: getattr(health, name) for name in HEALTH}, "last": asdict(health.last) if health.last else None}


def _load_health(health: HealthCheck, state: Mapping[str, Any]) -> None:
    for name in HEALTH:
        setattr(health, name, state[name])
    health.last = ProbeResult(**state["last"]) if state["last"] else None
