# SPDX-License-Identifier: GPL-3.0-or-later
"""What one procmon hands to the next, as JSON: the core's snapshot, the workers' processes, and open files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import RESERVED_UVICORN_OPTIONS, TICK_INTERVAL_SHARE, Config, ConfigError, identity_error, parse
from ..core.snapshot import load
from ..core.supervisor import Supervisor

FORMAT = 2
"""Raised by whatever an older procmon could not read; the workers' control channel is part of it."""


class HandoverError(Exception):
    """Raised when this procmon cannot go on where the other one was."""


@dataclass(frozen=True)
class Handover:
    """All of it. `config_digest` identifies the configuration that the other one has read last."""

    core: Mapping[str, Any]
    processes: list[dict[str, Any]]
    identity: Mapping[str, str]
    config_digest: str
    files: Mapping[str, int]
    """File descriptors by what they are: `listener`, `lock`, `signals`, and `output`, which is still to be written."""

    def to_json(self) -> bytes:
        """Write it."""
        return json.dumps({"format": FORMAT, **vars(self)}).encode()

    def descriptors(self) -> list[int]:
        """Return every file descriptor that it names."""
        return [*self.files.values(), *(one[end] for one in self.processes for end in ("control_fd", "output_fd"))]


def from_json(data: bytes, config: Config) -> Handover:
    """Read what `Handover.to_json` has written, also in format 1. Raises `HandoverError`.

    `config` stands in for what format 1 did not keep.
    """
    try:
        found = json.loads(data)
        number = found.pop("format")
        if number == 1:
            found, number = from_format_1(found, config), FORMAT
        if number == FORMAT:
            return Handover(**found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HandoverError(
            f"the state of the running procmon cannot be read: {error!r}; restart it instead"
        ) from error
    raise HandoverError(f"the running procmon hands over format {number}, not 1 or {FORMAT}; restart it instead")


def restore(supervisor: Supervisor, handover: Handover, config: Config) -> None:
    """Put a new supervisor where the other procmon's was. Raises `HandoverError`."""
    check_identity(handover, config)
    try:
        load(supervisor, handover.core)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise HandoverError(
            f"the state of the running procmon cannot be taken over: {error!r}; restart it instead"
        ) from error


def check_identity(handover: Handover, config: Config) -> None:
    """Raise `HandoverError` where `config` is one of another procmon."""
    if change := identity_error(handover.identity, config):
        raise HandoverError(change)


def serving_config(data: bytes) -> Config | None:
    """Return the configuration of what serves, as it was handed over; None where nothing serves, and in format 1."""
    try:
        core = json.loads(data)["core"]
        active = next(one["release"] for one in core["generations"] if one["number"] == core["active"])
        return replace(parse(active["config"]), digest=active["config_digest"])
    except (ConfigError, StopIteration, ValueError, KeyError, TypeError):
        return None


# -- format 1: procmon 0.1.0 without a configuration per generation ---------------------------------------------------

_HEALTH_1 = {"streak": "consecutive_reloads", "quiet_until": "grace_until"}
_WORKER_1 = {"wear": "limit_jitter", "unwanted": "replace_reason"}
_SLOT_1 = {"holder": "worker", "lost": "last_loss"}
_CORE_1 = {"mark": "stamp", "heart": "health"}


def from_format_1(found: dict[str, Any], config: Config) -> dict[str, Any]:
    """Translate what procmon 0.1.0 hands over: other names, and a configuration that it read once for all."""
    digest = found.pop("settings")
    core = _renamed(found["core"], _CORE_1)
    core["slots"] = [_renamed(one, _SLOT_1) for one in core["slots"]]
    core["workers"] = [_renamed(one, _WORKER_1) for one in core["workers"]]
    core["generations"] = [_generation_1(one, config, digest, len(core["slots"])) for one in core["generations"]]
    core["health"] = _renamed(core["health"], _HEALTH_1)
    if core["health"]["last"]:
        core["health"]["last"].pop("late", None)
    return {**found, "core": core, "config_digest": digest}


def _renamed(found: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in found.items()}


def _generation_1(one: Mapping[str, Any], config: Config, digest: str, slots: int) -> dict[str, Any]:
    release = one["release"]
    document = {
        **config.document,
        "workers": slots,
        "app": release.get("app") or config.app,
        "uvicorn": _allowed(release.get("uvicorn", {})),
        "worker": {**config.document.get("worker", {}), "hang_timeout": _hang_timeout_1(release, config)},
        "reload": {**config.document.get("reload", {}), "idle_grace": release.get("idle_grace_seconds", 5.0)},
    }
    kept = {name: release[name] for name in ("path", "commit", "python", "env")}
    return {**one, "release": {**kept, "config": document, "config_digest": release.get("settings") or digest}}


def _hang_timeout_1(release: Mapping[str, Any], config: Config) -> float:
    """Return at least what fits the interval of the workers' ticks: with less they would seem to hang."""
    tick_interval: float = release.get("silence_seconds", 0.0)
    return max(config.worker.hang_timeout_seconds, tick_interval / TICK_INTERVAL_SHARE)


def _allowed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what procmon refuses now: such an option had no effect or is not worth a restart."""
    return {name: value for name, value in options.items() if name not in RESERVED_UVICORN_OPTIONS}
