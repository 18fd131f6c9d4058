# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

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

from ..model import ReleaseError
from .state import now

# A run that was killed holds the lock until its programs have ended.
ENDING = 10.0
# Whoever only asks holds the lock shared for an instant: that must not fail a deploy.
PATIENCE = 0.25
POLL = 0.02


@dataclass(frozen=True)
class Holder:
    """Who holds a project's lock: a person, what they do, since when (UTC, ISO 8601), and the process."""

    by: str
    doing: str
    since: str
    pid: int


@contextmanager
def held(path: Path, by: str, doing: str, wait: float) -> Iterator[int]:
    """Hold the project's lock; the kernel drops it when all who have its descriptor, which this gives, have ended.

    Waits at most `wait` seconds. Raises ReleaseError that names who holds it.
    """
    with path.open("a+", encoding="utf-8") as file:
        if not _taken(file, max(wait, PATIENCE)):
            raise ReleaseError(f"another run holds the lock: {_told(file)}", "wait for it, or set lock_wait")
        _write(file, json.dumps(asdict(Holder(by, doing, now(), os.getpid()))))
        try:
            yield file.fileno()
        finally:
            _write(file, "")


def current_holder(path: Path) -> Holder | None:
    """Say who holds the lock now, None when it is free."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        holder = None if _try(file, fcntl.LOCK_SH) else _holder(file)
    return holder if holder and is_alive(holder.pid) else None


def is_alive(pid: int) -> bool:
    """Say whether a process with that id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _taken(file: IO[str], wait: float) -> bool:
    start = time.monotonic()
    while not _try(file, fcntl.LOCK_EX):
        if time.monotonic() - start >= (wait if is_alive(_holder(file).pid) else max(wait, ENDING)):
            return False
        time.sleep(POLL)
    return True


def _try(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _told(file: IO[str]) -> str:
    holder = _holder(file)
    return f"{holder.by} ({holder.doing}) since {holder.since}, pid {holder.pid}"


def _holder(file: IO[str]) -> Holder:
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError):
        # Between taking the lock and writing the name there is a moment.
        return Holder("somebody", "starting", "just now", 0)


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
