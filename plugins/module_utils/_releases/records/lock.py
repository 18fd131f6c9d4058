# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""`.deploy.lock`: one run at a time, held by the kernel, with its holder's name in it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ..errors import ReleaseError
from ..system.process import is_alive
from .state import now

# A killed run's programs hold the lock until they have ended.
DEAD_HOLDER_SECONDS = 10.0
# Reading the holder takes the lock for an instant, which must not fail a deploy.
CONTENTION_SECONDS = 0.25
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Holder:
    """Who holds a project's lock: a person, what they are doing, since when (UTC, ISO 8601), and the process."""

    by: str
    doing: str
    since: str
    pid: int


@contextmanager
def acquire(path: Path, by: str, doing: str, wait: float) -> Iterator[int]:
    """Hold the project's lock, and yield its descriptor; the kernel frees it when all processes with that have ended.

    Waits at most `wait` seconds. Raises ReleaseError that names the holder.
    """
    with path.open("a+", encoding="utf-8") as file:
        if not _try_until(file, max(wait, CONTENTION_SECONDS)):
            raise ReleaseError(f"another run holds the lock: {_describe_holder(file)}", "wait for it, or set lock_wait")
        _write(file, json.dumps(asdict(Holder(by, doing, now(), os.getpid()))))
        try:
            yield file.fileno()
        finally:
            _write(file, "")


def current_holder(path: Path) -> Holder | None:
    """Return who holds the lock now, None when it is free."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        holder = None if _try(file, fcntl.LOCK_SH) else _holder(file)
    return holder if holder and is_alive(holder.pid) else None


def _try_until(file: IO[str], wait: float) -> bool:
    start = time.monotonic()
    while not _try(file, fcntl.LOCK_EX):
        if time.monotonic() - start >= (wait if is_alive(_holder(file).pid) else max(wait, DEAD_HOLDER_SECONDS)):
            return False
        time.sleep(POLL_SECONDS)
    return True


def _try(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe_holder(file: IO[str]) -> str:
    holder = _holder(file)
    return f"{holder.by} ({holder.doing}) since {holder.since}, pid {holder.pid}"


def _holder(file: IO[str]) -> Holder:
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError):
        # The holder has the lock but has not written its name yet.
        return Holder("another run", "starting", "just now", 0)


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
