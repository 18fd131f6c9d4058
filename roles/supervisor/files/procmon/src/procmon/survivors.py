# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers of a killed procmon: they finish what they have, and whoever cleans up after it waits for them."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path

from . import lock, status
from .orphans import owner_of

# A worker has 10 s from its master's end to its own; the rest is for a busy machine.
PATIENCE_SECONDS = 15.0


def outlast(state: Path) -> None:
    """Return once procmon runs or none of its workers is left: they end by themselves, within `PATIENCE_SECONDS`."""
    if lock.running(state):
        return
    end = time.monotonic() + PATIENCE_SECONDS
    for pid in left_behind(state):
        with suppress(ProcessLookupError):
            _wait(pid, end - time.monotonic())


def left_behind(state: Path) -> list[int]:
    """List the workers of the last status that are still there; empty without a status."""
    try:
        workers = status.read(state)["workers"]
    except FileNotFoundError:
        return []
    return [worker["pid"] for worker in workers if owner_of(worker["pid"]) is not None]


def _wait(pid: int, seconds: float) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        select.select([pidfd], [], [], max(0.0, seconds))
    finally:
        os.close(pidfd)
