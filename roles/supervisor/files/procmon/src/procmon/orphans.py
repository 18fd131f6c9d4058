# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers leave behind: processes that have left their worker's process group and outlive it.

As a subreaper procmon becomes their parent when their own has gone. The environment that they have inherited says whose
they are; one that has dropped that too is left to systemd, which knows all by their control group.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection

MARK = "PROCMON_WORKER"
"""The variable that names the worker, by its number, to all that it starts."""
PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Become the parent of every descendant that is orphaned."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def sweep(workers: Collection[int], pids: Collection[int]) -> bool:
    """Reap the adopted that have ended, and end those whose worker is not one of `workers`; `pids` are not adopted.

    Return whether there was any: its own children are adopted next.
    """
    found = False
    for pid in children():
        if pid in pids:
            continue
        if os.waitpid(pid, os.WNOHANG)[0]:
            found = True
            continue
        owner = owner_of(pid)
        if owner is not None and owner not in workers:
            # It is our child and not reaped: nobody else can have its pid.
            os.kill(pid, signal.SIGKILL)
            found = True
    return found


def children() -> list[int]:
    """List this process's children, whichever thread they belong to."""
    found: list[int] = []
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - only the names
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{thread}/children", "rb") as listed:  # noqa: PTH123 - at each child's end
            found += map(int, listed.read().split())
    return found


def owner_of(pid: int) -> int | None:
    """Tell the worker that started `pid`, or whose descendant did; None when it cannot be told."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: PTH123 - as above
            marks = [entry for entry in environ.read().split(b"\0") if entry.startswith(f"{MARK}=".encode())]
        return int(marks[-1].partition(b"=")[2]) if marks else None
    except (OSError, ValueError):
        return None
