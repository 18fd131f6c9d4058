# SPDX-License-Identifier: GPL-3.0-or-later
"""status.json: what procmon knows, for the deploy and for people."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import BUILD, __version__
from ..config import Config
from ..core.health import HealthCheck, describe
from ..core.reload import reload_limit_seconds
from ..core.supervisor import Supervisor
from ..core.worker import Worker

NAME = "status.json"

log = logging.getLogger("procmon")


def report(supervisor: Supervisor, started: Mapping[int, float], config: Config) -> dict[str, Any]:
    """Describe `supervisor`.

    `started` is each worker's start in seconds since the epoch, `config` the configuration that was read last.
    """
    active, restart = supervisor.reloads.active, supervisor.reloads.restart
    return {
        "name": supervisor.config.name,
        "pid": os.getpid(),
        "version": __version__,
        "build": BUILD,
        "bind": str(config.bind),
        "config_digest": config.digest,
        "active_config_digest": active.config.digest if active else None,
        "active_config_file": _file_of(active.config, config) if active else None,
        "active_app": active.config.app if active else None,
        "state": supervisor.state,
        "generation": active.number if active else 0,
        "release": active.release.path if active else None,
        "commit": active.release.commit if active else None,
        "workers": [_worker(worker, started.get(worker.number, 0.0)) for worker in supervisor.pool.workers.values()],
        "restart": {
            "stamp": restart.stamp,
            "result": restart.result,
            "error": restart.error,
            "seconds": round(restart.seconds, 3),
        },
        "restart_file": os.fsdecode(config.restart_path),
        "reload_limit": _reload_limit(supervisor),
        "heartbeat": _heartbeat(supervisor.health),
        "crash_loop": supervisor.pool.crash_loop(),
        "upgrade": {
            "number": supervisor.upgrade.number,
            "result": supervisor.upgrade.result,
            "error": supervisor.upgrade.error,
        },
    }


def _file_of(active: Config, config: Config) -> str:
    """Return the file of what serves; after an upgrade, which hands over no name, it is known by its digest."""
    return active.file or (config.file if active.digest == config.digest else "")


def _reload_limit(supervisor: Supervisor) -> float:
    """Return the most seconds until the newest touch is answered: of the reload under way and the one after it."""
    rollout, pending = supervisor.reloads.rollout, supervisor.reloads.pending
    config = rollout.generation.config if rollout and rollout.generation else supervisor.config
    return reload_limit_seconds(config) * (2 if rollout and pending else 1)


def _worker(worker: Worker, started: float) -> dict[str, Any]:
    return {
        "pid": worker.pid,
        "generation": worker.generation.number,
        "state": worker.state.value,
        "started": started,
        "requests": worker.requests,
        "in_flight": worker.in_flight,
        "rss_bytes": worker.rss_bytes,
    }


def _heartbeat(health: HealthCheck) -> dict[str, Any]:
    return {
        "status": health.last.status if health.last else None,
        "milliseconds": round(health.last.milliseconds, 1) if health.last else None,
        "failures": health.failures,
        "reloads": health.reloads,
    }


def headline(supervisor: Supervisor) -> str:
    """Sum `supervisor` up in one line."""
    reloads, health = supervisor.reloads, supervisor.health
    words = [supervisor.state]
    if reloads.active:
        words.append(f"generation {reloads.active.number}, {Path(reloads.active.release.path).name}")
    if reloads.restart.result == "failed":
        words.append(f"the last reload failed: {reloads.restart.error.splitlines()[0]}")
    if crash_loop := supervisor.pool.crash_loop():
        words.append(crash_loop.splitlines()[0])
    if health.failures and health.last:
        words.append(f"the heartbeat has failed {health.failures} times: {describe(health.last, health.config)}")
    return "; ".join(words)


class StatusFile:
    """Writes status.json, always whole, and logs only once that it cannot."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._written: dict[str, Any] = {}
        self._failing = False
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        """Given up for a moment when no other descriptor is left: what is wrong then must be readable."""

    def write(self, status: dict[str, Any]) -> None:
        """Replace the file when its content changes."""
        if status == self._written:
            return
        try:
            self._replace_with_reserve(json.dumps(status))
        except OSError as error:
            if not self._failing:
                log.error("cannot write %s: %s; procmon goes on without it", self._path, error.strerror)  # noqa: TRY400 - no traceback for the operator
            self._failing = True
            return
        self._written, self._failing = status, False

    def _replace_with_reserve(self, text: str) -> None:
        try:
            self._replace(text)
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            os.close(self._reserve)
            try:
                self._replace(text)
            finally:
                self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _replace(self, text: str) -> None:
        new = self._path.with_name(f".{NAME}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._path)


def read(state: Path) -> dict[str, Any]:
    """Read what was written last. Raises OSError, and ValueError for what is not a status."""
    found = json.loads((state / NAME).read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{state / NAME} does not hold a status")  # noqa: TRY004 - it is about content, not about a type
    return found
