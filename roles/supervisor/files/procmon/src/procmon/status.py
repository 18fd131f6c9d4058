# SPDX-License-Identifier: GPL-3.0-or-later
"""status.json: what procmon knows, for whoever asks."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import __version__
from .build import BUILD
from .core import Core
from .heart import Heart
from .lifecycle import Worker

NAME = "status.json"

log = logging.getLogger("procmon")


def snapshot(core: Core, started: Mapping[int, float], settings: str = "") -> dict[str, Any]:
    """Describe `core`; `started` gives each worker's start in seconds since the epoch, `settings` the configuration."""
    active = core.active
    return {
        "name": core.config.name,
        "pid": os.getpid(),
        "version": __version__,
        "build": BUILD,
        "settings": settings,
        "active_settings": active.release.settings if active else None,
        "state": core.state,
        "generation": active.number if active else 0,
        "release": active.release.path if active else None,
        "commit": active.release.commit if active else None,
        "workers": [_worker(worker, started.get(worker.number, 0.0)) for worker in core.pool.workers.values()],
        "restart": {
            "stamp": core.restart.stamp,
            "result": core.restart.result,
            "error": core.restart.error,
            "seconds": round(core.restart.seconds, 3),
        },
        "heartbeat": _heartbeat(core.heart),
        "trouble": core.pool.trouble(),
        "upgrade": {"number": core.upgrade.number, "result": core.upgrade.result, "error": core.upgrade.error},
    }


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


def _heartbeat(heart: Heart) -> dict[str, Any]:
    return {
        "status": heart.last.status if heart.last else None,
        "milliseconds": round(heart.last.milliseconds, 1) if heart.last else None,
        "failures": heart.failures,
        "reloads": heart.reloads,
    }


def headline(core: Core) -> str:
    """Sum `core` up in one line."""
    words = [core.state]
    if core.active:
        words.append(f"generation {core.active.number}, {Path(core.active.release.path).name}")
    if core.restart.result == "failed":
        words.append(f"the last reload failed: {core.restart.error.splitlines()[0]}")
    if trouble := core.pool.trouble():
        words.append(trouble.splitlines()[0])
    if core.heart.failures and core.heart.last:
        words.append(
            f"the heartbeat has failed {core.heart.failures} times ({core.heart.last.error or core.heart.last.status})"
        )
    return "; ".join(words)


class StatusFile:
    """Writes status.json, always whole, and says only once that it cannot."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._written: dict[str, Any] = {}
        self._failing = False

    def write(self, status: dict[str, Any]) -> None:
        """Replace the file when it says something else."""
        if status == self._written:
            return
        try:
            self._replace(json.dumps(status))
        except OSError as error:
            if not self._failing:
                log.error("cannot write %s: %s; serving goes on without it", self._path, error.strerror)  # noqa: TRY400 - no traceback for the operator
            self._failing = True
            return
        self._written, self._failing = status, False

    def _replace(self, text: str) -> None:
        new = self._path.with_name(f".{NAME}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._path)


def read(state: Path) -> dict[str, Any]:
    """Read what was written last. Raises OSError, and ValueError for what is no status."""
    found = json.loads((state / NAME).read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{state / NAME} holds no status")  # noqa: TRY004 - it is about content, not about a type
    return found
