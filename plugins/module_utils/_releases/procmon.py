# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import fcntl
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .model import ReleaseError
from .records.lock import is_alive

POLL = 0.05
# Time for the service manager to start a procmon again that died under us.
REVIVAL = 10.0
# How long a reload may take where nothing else is said, and what is added to procmon's own limit: by then procmon
# has given up itself, and says why.
RELOAD_SECONDS = 120.0
MARGIN_SECONDS = 30.0
MOST_SECONDS = 1e9


@dataclass(frozen=True)
class Status:
    """What procmon says of itself; `stamp` is the touch (mtime, ns) that `result` answers.

    `reload_limit` is the most seconds that one reload may take by its configuration, None when it does not say.
    """

    pid: int
    state: str
    release: str | None
    commit: str | None
    stamp: int | None
    result: str | None
    error: str
    reload_limit: float | None = None


@dataclass(frozen=True)
class Question:
    """What procmon is asked: does `release` serve, since the touch `stamp`? `before` is its status at the time."""

    stamp: int
    release: Path
    before: Status


def parse_status(text: str) -> Status | None:
    """Read status.json, None when it is no such thing."""
    try:
        said = json.loads(text)
        restart = said.get("restart") or {}
        return Status(
            pid=int(said["pid"]),
            state=str(said["state"]),
            release=said.get("release"),
            commit=said.get("commit"),
            stamp=restart.get("stamp"),
            result=restart.get("result"),
            error=restart.get("error") or "",
            reload_limit=_seconds(said.get("reload_limit")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_status(path: Path) -> Status | None:
    """Read what procmon wrote last, None when there is nothing to read."""
    try:
        return parse_status(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def read_raw(path: Path) -> Mapping[str, Any] | None:
    """Read all that procmon wrote, for those who show it."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def runs(path: Path, status: Status) -> bool:
    """Return whether the procmon that wrote `status` to `path` runs: it then holds the lock beside it."""
    # The process first: to try the lock of a procmon that starts could be in its way.
    return is_alive(status.pid) and _is_held(path.with_name("lock"))


def running(path: Path, name: str) -> Status:
    """Return the status of a procmon that runs. Raises ReleaseError when none does."""
    status = read_status(path)
    if status is None or not runs(path, status):
        found = f"no status file at {path}" if status is None else f"its process {status.pid} has ended"
        raise ReleaseError(f"procmon is not running for {name} ({found})", _start(name))
    if status.state == "stopping":
        raise ReleaseError(f"procmon is stopping for {name}", _start(name))
    return status


def serves(path: Path, release: Path) -> bool:
    """Return whether a procmon that runs serves this very release."""
    status = read_status(path)
    healthy = status is not None and status.state in {"serving", "reloading"} and runs(path, status)
    return healthy and status is not None and status.release == str(release)


def describe(path: Path) -> str:
    """Describe in a few words what procmon serves."""
    status = read_status(path)
    if status is None or not runs(path, status):
        return "procmon is not running, so nothing answers"
    if status.state in {"serving", "reloading"}:
        return f"procmon serves {status.release}"
    return f"procmon serves nothing (state: {status.state})"


def verdict(question: Question, status: Status) -> bool:
    """Return whether `status` answers that the release serves; False is: not answered yet.

    Raises ReleaseError when the answer is no.
    """
    there = status.release == str(question.release)
    if status.pid != question.before.pid:
        # A procmon that was started after the touch has read `current` itself: what it serves is the answer.
        return there and status.state == "serving"
    if not _answered(question, status):
        return False
    if status.result != "ok":
        raise ReleaseError("the new workers failed to start", detail=status.error)
    if not there:
        raise ReleaseError(
            f"procmon reloaded {status.release}, not {question.release}", "correct directory in procmon's configuration"
        )
    return True


def wait(path: Path, question: Question, timeout: float | None) -> None:
    """Wait until procmon answers that the release serves: `timeout` seconds, or as long as a reload may take.

    Raises ReleaseError when it answers no, dies, or does not answer.
    """
    started = seen_alive = time.monotonic()
    limit = question.before.reload_limit
    while True:
        status, now = read_status(path), time.monotonic()
        if status is not None and runs(path, status):
            seen_alive = now
            if verdict(question, status):
                return
            # The release's own configuration may have another one.
            limit = status.reload_limit
        if now - seen_alive > REVIVAL:
            raise _died()
        if now - started >= patience(timeout, limit):
            raise _late(path, status, timeout)
        time.sleep(POLL)


def patience(timeout: float | None, limit: float | None) -> float:
    """Return how many seconds to wait: what the user set, otherwise what procmon says and at least the default."""
    return max(RELOAD_SECONDS, (limit or 0) + MARGIN_SECONDS) if timeout is None else timeout


def _start(name: str) -> str:
    return f"start it with: systemctl start procmon@{name}"


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Python's JSON may hold NaN and Infinity: that would be a wait without an end.
    return value if 0 <= value <= MOST_SECONDS else None


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        # A lock that this user may not open: only the process is known.
        return True
    return False


def _late(path: Path, status: Status | None, timeout: float | None) -> ReleaseError:
    if status is None or not runs(path, status):
        return _died()
    waited = patience(timeout, status.reload_limit)
    return ReleaseError(
        f"procmon did not finish reloading within {waited:g} s (state: {status.state})",
        _too_short(waited, status.reload_limit),
        status.error,
    )


def _too_short(waited: float, limit: float | None) -> str:
    if limit is None or limit <= waited:
        return "raise reload_timeout if the app starts slowly"
    enough = math.ceil(limit + MARGIN_SECONDS)
    return f"by procmon's configuration a reload may take {limit:g} s: raise reload_timeout to {enough}, or remove it"


def _died() -> ReleaseError:
    return ReleaseError("procmon died during the reload", "read its log: journalctl -u 'procmon@*'")


def _answered(question: Question, status: Status) -> bool:
    if status.result not in {"ok", "failed"} or status.stamp is None:
        return False
    # The answer to a later touch answers ours as well; a stamp from before ours does not, however large it is.
    return status.stamp == question.stamp or (status.stamp > question.stamp and status.stamp != question.before.stamp)
