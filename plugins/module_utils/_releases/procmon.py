# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""procmon as the deploy sees it: its status file, the reload that a touch asks for, and its answer.

The deploy and procmon share files and nothing else. `Procmon` is for a project that procmon serves, `NoProcmon` for one
without `app`, so that no caller asks which of the two there is.
"""

from __future__ import annotations

import fcntl
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import restart_file
from .errors import ReleaseError
from .system.process import is_alive

POLL_SECONDS = 0.05
# Time for the service manager to restart a procmon that died during the reload.
RESTART_GRACE_SECONDS = 10.0
# How long a reload may take where neither the user nor procmon sets it, and what is added to procmon's own limit: by
# then procmon has given up itself, and reports why.
RELOAD_SECONDS = 120.0
MARGIN_SECONDS = 30.0
MAX_SECONDS = 1e9
SERVING = frozenset({"serving", "reloading"})


@dataclass(frozen=True)
class Status:
    """What procmon reports about itself; `stamp` is the touch (mtime, ns) that `result` answers.

    `reload_limit` is the most seconds that one reload may take by its configuration, `restart_file` the file that it
    watches, `bind` what it listens on, `config_file` where the configuration of what serves was read from; each is None
    when it is not reported.
    """

    pid: int
    state: str
    release: str | None
    commit: str | None
    stamp: int | None
    result: str | None
    error: str
    reload_limit: float | None = None
    restart_file: str | None = None
    bind: str | None = None
    config_file: str | None = None


@dataclass(frozen=True)
class ReloadRequest:
    """A reload that was asked for: does `release` serve, since the touch `stamp`? `before` is the status before it."""

    stamp: int
    release: Path
    before: Status


@dataclass(frozen=True)
class BeforeReload:
    """procmon's status and the restart file's time (ns) before anything touches it."""

    status: Status
    touched: int | None


@dataclass(frozen=True)
class Procmon:
    """The procmon of the project `name`. `reload_timeout` is in seconds; None waits as long as a reload may take."""

    name: str
    status_file: Path
    restart_file: Path
    reload_timeout: float | None = None

    def status(self) -> Status | None:
        """Return what procmon wrote last, whether it still runs or not; None when there is nothing to read."""
        return read_status(self.status_file)

    def report(self) -> Mapping[str, Any]:
        """Return all that procmon reports, for those who show it."""
        return report(self.status_file)

    def require_running(self) -> Status:
        """Return the status of the running procmon. Raises ReleaseError when it is not running."""
        status = self.status()
        if status is None or not is_running(self.status_file, status):
            if status is None:
                found = f"procmon is not running for {self.name} (no status file at {self.status_file})"
                raise ReleaseError(found, f"run setup if it has not run yet, otherwise {self._how_to_start()}")
            found = f"its process {status.pid} has ended"
            raise ReleaseError(f"procmon is not running for {self.name} ({found})", self._how_to_start())
        if status.state == "stopping":
            raise ReleaseError(f"procmon is stopping for {self.name}", self._how_to_start())
        return status

    def is_serving(self, release: Path, commit: str | None = None) -> bool:
        """Return whether a running procmon serves exactly this release, and this commit of it as far as it reports one.

        In place all commits have the same directory.
        """
        status = self._serving()
        return status is not None and status.release == str(release) and _is_same(status.commit, commit)

    def bind(self) -> str | None:
        """Return what a running procmon listens on, None where none runs or reports it."""
        status = self.status()
        return status.bind if status and is_running(self.status_file, status) else None

    def config_file(self) -> str | None:
        """Return the file from which the configuration of what serves was read, None where it is not known."""
        status = self._serving()
        return status.config_file if status else None

    def served_release(self) -> str | None:
        """Return the release that a running procmon serves, None when it serves nothing."""
        status = self._serving()
        return status.release if status else None

    def describe(self) -> str:
        """Describe in a few words what answers users now."""
        status = self.status()
        if status is None or not is_running(self.status_file, status):
            return "procmon is not running, so nothing answers"
        if status.state in SERVING:
            return f"procmon serves {status.release}"
        return f"procmon serves nothing (state: {status.state})"

    def before_reload(self) -> BeforeReload:
        """Return what a reload is compared with. Raises ReleaseError when procmon is not running."""
        status = self.require_running()
        return BeforeReload(status, restart_file.mtime_ns(self._watched(status)))

    def reload(self, release: Path, before: BeforeReload) -> None:
        """Touch the restart file, unless a hook has, and wait until procmon serves `release`.

        Raises ReleaseError when the new workers fail, procmon dies, or it does not finish in time.
        """
        stamp = self._touched_since(before) or restart_file.touch(self._watched(before.status), before.status.stamp)
        wait(self.status_file, ReloadRequest(stamp, release, before.status), self.reload_timeout)

    def before_restore(self) -> BeforeReload | None:
        """Return what the reload of a restored release is compared with, None for a procmon that never ran."""
        status = self.status()
        return BeforeReload(status, restart_file.mtime_ns(self._watched(status))) if status else None

    def request_reload(self, release: Path) -> None:
        """Touch the restart file when procmon serves something else, without waiting."""
        status = self.status()
        if status and release.is_dir() and not self.is_serving(release):
            restart_file.touch(self._watched(status), status.stamp)

    def _serving(self) -> Status | None:
        status = self.status()
        serves = status is not None and status.state in SERVING and is_running(self.status_file, status)
        return status if serves else None

    def _touched_since(self, before: BeforeReload) -> int | None:
        """Return the time of a hook's own touch, as hooks of the original make one: procmon answers that one."""
        watched = self._watched(before.status)
        stamp = restart_file.mtime_ns(watched)
        # A hook that runs as root may have created the file.
        restart_file.give_to_owner(watched)
        # A file system with whole seconds may give two touches the same time.
        return None if stamp in {before.touched, before.status.stamp} else stamp

    def _watched(self, status: Status) -> Path:
        """Return the file to touch: the one that procmon watches, also where the project's key has changed since."""
        return Path(status.restart_file) if status.restart_file else self.restart_file

    def _how_to_start(self) -> str:
        command = f"systemctl start procmon@{self.name}"
        return f"start it with: {command}. If that fails, as after an upgrade of the server's Python, run setup"


@dataclass(frozen=True)
class NoProcmon:
    """In the place of `Procmon` for a project that procmon does not serve: nothing to ask, nothing to wait for."""

    def report(self) -> None:
        return None

    def require_running(self) -> None:
        return None

    def is_serving(self, _release: Path, _commit: str | None = None) -> bool:
        """Return True: what `current` points at is what serves, as far as anyone knows."""
        return True

    def bind(self) -> None:
        return None

    def config_file(self) -> None:
        return None

    def served_release(self) -> None:
        return None

    def describe(self) -> str:
        return ""

    def before_reload(self) -> None:
        return None

    def reload(self, _release: Path, _before: BeforeReload) -> None:
        return None

    def before_restore(self) -> None:
        return None

    def request_reload(self, _release: Path) -> None:
        return None


def parse_status(text: str) -> Status | None:
    """Parse status.json; None when it is not one."""
    try:
        found = json.loads(text)
        restart = found.get("restart") or {}
        return Status(
            pid=int(found["pid"]),
            state=str(found["state"]),
            release=found.get("release"),
            commit=found.get("commit"),
            stamp=restart.get("stamp"),
            result=restart.get("result"),
            error=restart.get("error") or "",
            reload_limit=_seconds(found.get("reload_limit")),
            restart_file=found.get("restart_file") or None,
            bind=found.get("bind") or None,
            config_file=found.get("active_config_file") or None,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_status(path: Path) -> Status | None:
    """Read the status that procmon wrote last, None when there is none."""
    try:
        return parse_status(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def read_raw(path: Path) -> Mapping[str, Any] | None:
    """Read everything that procmon wrote."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def report(path: Path) -> Mapping[str, Any]:
    """Return all that the procmon with the status file `path` reports; without one that runs, its state alone."""
    status, raw = read_status(path), read_raw(path)
    if status is None or raw is None or not is_running(path, status):
        return {"state": "not running", "workers": []}
    return raw


def is_running(path: Path, status: Status) -> bool:
    """Return whether the procmon that wrote `status` to `path` runs: it then holds the lock beside it."""
    # Check the process first: trying the lock could disturb a procmon that is just starting.
    return is_alive(status.pid) and _is_held(path.with_name("lock"))


def is_served(request: ReloadRequest, status: Status) -> bool:
    """Return whether `status` reports that the requested release serves; False is: not answered yet.

    Raises ReleaseError when the reload failed.
    """
    serves_release = status.release == str(request.release)
    if status.pid != request.before.pid:
        # A procmon that was started after the touch has read `current` itself: what it serves is the answer.
        return serves_release and status.state == "serving"
    if not _is_answered(request, status):
        return False
    if status.result != "ok":
        raise ReleaseError("the new workers failed to start", detail=status.error)
    if not serves_release:
        found = f"procmon reloaded {status.release}, not {request.release}"
        raise ReleaseError(found, "correct directory in procmon's configuration")
    return True


def wait(path: Path, request: ReloadRequest, timeout: float | None) -> None:
    """Wait until procmon serves the release: `timeout` seconds, or as long as a reload may take.

    Raises ReleaseError when the reload failed, procmon died, or it did not finish in time.
    """
    started = seen_alive = time.monotonic()
    limit = request.before.reload_limit
    while True:
        status, now = read_status(path), time.monotonic()
        if status is not None and is_running(path, status):
            seen_alive = now
            if is_served(request, status):
                return
            # The release's own configuration may have another limit.
            limit = status.reload_limit
        if now - seen_alive > RESTART_GRACE_SECONDS:
            raise _died()
        if now - started >= patience(timeout, limit):
            raise _late(path, status, timeout)
        time.sleep(POLL_SECONDS)


def patience(timeout: float | None, limit: float | None) -> float:
    """Return how many seconds to wait: what the user set, otherwise procmon's own limit and at least the default."""
    return max(RELOAD_SECONDS, (limit or 0) + MARGIN_SECONDS) if timeout is None else timeout


def _is_same(reported: str | None, commit: str | None) -> bool:
    return reported is None or commit is None or reported == commit


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Python's JSON may hold NaN and Infinity: that would be a wait without an end.
    return value if 0 <= value <= MAX_SECONDS else None


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
    if status is None or not is_running(path, status):
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


def _is_answered(request: ReloadRequest, status: Status) -> bool:
    if status.result not in {"ok", "failed"} or status.stamp is None:
        return False
    # The answer to a later touch answers ours as well; a stamp from before ours does not, however large it is.
    later = status.stamp > request.stamp and status.stamp != request.before.stamp
    return status.stamp == request.stamp or later
