# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that have left their worker's process group and outlive it, such as a daemon that the app has started.

As a subreaper procmon becomes their parent when their own has exited. The environment that they have inherited names
their worker; one that has dropped that too is left to systemd, which knows all by their control group.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

from .processes import HELPER_SECONDS, describe

WORKER_ID_VARIABLE = "PROCMON_WORKER"
"""The variable that names the worker, by its number, to all that it starts."""
PR_SET_CHILD_SUBREAPER = 36

log = logging.getLogger("procmon")


def become_subreaper() -> None:
    """Become the parent of every descendant that is orphaned."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Orphans:
    """What workers have left behind; each has `HELPER_SECONDS` from when it was first seen to end by itself."""

    def __init__(self) -> None:
        self._kill_at: dict[int, float] = {}

    def reap(self, workers: Collection[int], pids: Collection[int]) -> tuple[bool, float | None]:
        """Reap orphans that have exited, and kill those whose time is over and whose worker is not one of `workers`.

        `pids` are no orphans. Return whether there is any, and the seconds until the next one's time is over.
        """
        orphans = [pid for pid in children() if pid not in pids]
        exited = {pid for pid in orphans if os.waitpid(pid, os.WNOHANG)[0]}
        left = {pid: owner_of(pid) for pid in orphans if pid not in exited}
        gone = [pid for pid, owner in left.items() if owner is not None and owner not in workers]
        now = time.monotonic()
        self._kill_at = {pid: self._kill_at.get(pid, now + HELPER_SECONDS) for pid in gone}
        for pid in [pid for pid, due in self._kill_at.items() if now >= due]:
            log.warning("killing %s, left behind by worker %s", describe([pid]), left[pid])
            # It is our child and not reaped: no other process can have its pid.
            os.kill(pid, signal.SIGKILL)
            self._kill_at[pid] = math.inf
        coming = [due - now for due in self._kill_at.values() if due < math.inf]
        return bool(exited or gone), min(coming, default=None)


def children() -> list[int]:
    """List this process's children, whichever thread they belong to."""
    found: list[int] = []
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - only the names
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, Path(f"/proc/self/task/{thread}/children").read_bytes().split())
    return found


def owner_of(pid: int) -> int | None:
    """Return the number of the worker that started `pid`, or whose descendant did; None when it is unknown."""
    prefix = f"{WORKER_ID_VARIABLE}=".encode()
    try:
        entries = [one for one in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if one.startswith(prefix)]
        return int(entries[-1].partition(b"=")[2]) if entries else None
    except (OSError, ValueError):
        return None
