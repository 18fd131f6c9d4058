# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.lock import is_alive
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ReleaseError

POLL = 0.05
# Time for the service manager to start a procmon again that died under us.
REVIVAL = 10.0


@dataclass(frozen=True)
class Status:
    """What procmon says of itself; `stamp` is the touch (mtime, ns) that `result` answers."""

    pid: int
    state: str
    release: str | None
    commit: str | None
    stamp: int | None
    result: str | None
    error: str


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
    """Say whether the procmon that wrote `status` to `path` runs: it holds the lock beside it as long as it does."""
    # The process first: to try the lock of a procmon that starts could be in its way.
    return is_alive(status.pid) and _is_held(path.with_name("lock"))


def running(path: Path, name: str) -> Status:
    """Return the status of a procmon that runs. Raises ReleaseError when none does."""
    status = read_status(path)
    if status is None or not runs(path, status):
        found = f"{path} is not there" if status is None else f"its process {status.pid} is gone"
        raise ReleaseError(f"procmon does not run for {name} ({found})", f"start it: systemctl start procmon@{name}")
    if status.state == "stopping":
        raise ReleaseError(f"procmon of {name} is stopping", f"start it: systemctl start procmon@{name}")
    return status


def serves(path: Path, release: Path) -> bool:
    """Say whether a procmon that runs serves this very release."""
    status = read_status(path)
    healthy = status is not None and status.state in {"serving", "reloading"} and runs(path, status)
    return healthy and status is not None and status.release == str(release)


def describe(path: Path) -> str:
    """Say in a few words what procmon serves."""
    status = read_status(path)
    if status is None or not runs(path, status):
        return "procmon does not run, so nothing answers"
    if status.state in {"serving", "reloading"}:
        return f"procmon serves {status.release}"
    return f"procmon serves nothing (its state: {status.state})"


def verdict(question: Question, status: Status) -> bool:
    """Say whether `status` answers that the release serves; False is: not answered yet.

    Raises ReleaseError when the answer is no.
    """
    there = status.release == str(question.release)
    if status.pid != question.before.pid:
        # A procmon that started since read `current` itself: what it serves is the answer.
        return there and status.state == "serving"
    if not _answered(question, status):
        return False
    if status.result != "ok":
        raise ReleaseError("the new workers did not come up", detail=status.error)
    if not there:
        raise ReleaseError(
            f"procmon reloaded {status.release}, not {question.release}", "see to directory in procmon's configuration"
        )
    return True


def wait(path: Path, question: Question, timeout: float) -> None:
    """Wait at most `timeout` seconds until procmon answers that the release serves.

    Raises ReleaseError when it answers no, dies, or does not answer.
    """
    deadline = time.monotonic() + timeout
    seen_alive = time.monotonic()
    while True:
        status, now = read_status(path), time.monotonic()
        if status is not None and runs(path, status):
            seen_alive = now
            if verdict(question, status):
                return
        if now - seen_alive > REVIVAL:
            raise ReleaseError("procmon died during the reload", "its log says why: journalctl -u 'procmon@*'")
        if now >= deadline:
            raise _late(path, status, timeout)
        time.sleep(POLL)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        # Of one that we may not even look at we know its process only.
        return True
    return False


def _late(path: Path, status: Status | None, timeout: float) -> ReleaseError:
    if status is None or not runs(path, status):
        return ReleaseError("procmon died during the reload", "its log says why: journalctl -u 'procmon@*'")
    return ReleaseError(
        f"procmon did not answer within {timeout:g} s (its state: {status.state})", "see reload_timeout", status.error
    )


def _answered(question: Question, status: Status) -> bool:
    if status.result not in {"ok", "failed"} or status.stamp is None:
        return False
    # A later touch by somebody else answers ours too; a stamp from before it does not, however large.
    return status.stamp == question.stamp or (status.stamp > question.stamp and status.stamp != question.before.stamp)
