# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of one task tell each other while it runs. Private to this collection.

Ansible runs each host of a task in a process of its own, and sees results only when the task has ended on all of them.
These processes share a directory, Ansible's temporary one: a file per host that has ended, and locks that end with
their process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ansible import constants

T = TypeVar("T")
POLL_SECONDS = 0.01
# sshd's MaxSessions and MaxStartups stand at 10: some are left for a person, and for the shared connection itself.
SESSIONS_PER_SERVER = 8
SPARE_SESSIONS = 2


def board_folder(play: Any) -> Path:  # noqa: ANN401  Ansible ships few types
    """Return the directory of a play. Ansible removes its temporary directory when it ends."""
    return Path(constants.DEFAULT_LOCAL_TMP) / f"onetouch-{play._uuid}"  # type: ignore[attr-defined]  # noqa: SLF001  the only name of a play


class Board:
    """The directory of one task."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parent = os.getppid()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def post(self, host: str, result: Mapping[str, Any]) -> None:
        """Write how `host` has ended."""
        path = self.path(host, "result")
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(result), encoding="utf-8")
        temporary.replace(path)

    def wait(self, hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return how each of `hosts` has ended, as soon as all have. Ansible ends a task whose processes died."""
        return {host: self.until(partial(self.read, host)) for host in hosts}

    def missing(self, names: Iterable[str], seconds: float) -> str:
        """Return the first of `names` under which nothing is written within `seconds`; nothing when all are."""
        deadline = time.monotonic() + seconds

        def found() -> str | None:
            first = next((name for name in names if self.read(name) is None), "")
            return first if not first or time.monotonic() > deadline else None

        return self.until(found)

    @contextmanager
    def session(self, server: str) -> Iterator[None]:
        """Hold one of the sessions that may be open on `server` at once."""
        paths = [self.path(server, f"session{number}") for number in range(SESSIONS_PER_SERVER)]
        descriptor = self.until(lambda: next(filter(None, map(_try_lock, paths)), None))
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def login(self, name: str) -> Iterator[Login]:
        """Take part in one login that several hosts share: the process that gets the lock is the one to log in."""
        login = Login(self, name)
        try:
            yield login
        finally:
            login.release()

    def until(self, condition: Callable[[], T | None]) -> T:
        """Return the first value of `condition` that is not None. Ends with Ansible itself."""
        while (value := condition()) is None:
            if os.getppid() != self._parent:
                raise SystemExit("Ansible has ended.")
            time.sleep(POLL_SECONDS)
        return value

    def read(self, host: str) -> dict[str, Any] | None:
        """Return how `host` has ended, None while it has not."""
        try:
            found: dict[str, Any] = json.loads(self.path(host, "result").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def path(self, name: str, kind: str) -> Path:
        return self.path_in(self.folder, name, kind)

    @staticmethod
    def path_in(folder: Path, name: str, kind: str) -> Path:
        """Return the file of a host or server, for those who only read."""
        return folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.{kind}"

    def spare_session(self, server: str) -> int | None:
        """Return the descriptor that holds one of the sessions which deploys leave, None when there is none now."""
        paths = [self.path(server, f"spare{number}") for number in range(SPARE_SESSIONS)]
        return next((lock for path in paths if (lock := _try_lock(path)) is not None), None)


class Login:
    """A login that several hosts share. The first logs in; the others wait for it, and fail when it has failed."""

    def __init__(self, board: Board, name: str) -> None:
        self._board, self._name = board, name
        self._lock = _try_lock(board.path(name, "login"))
        self.is_first = self._lock is not None and board.read(name) is None

    def done(self, error: str) -> None:
        """Report to the others that the connection is there, or why it cannot be had."""
        if self.is_first:
            self._board.post(self._name, {"error": error})
        self.release()

    def others_error(self) -> str:
        """Return why the first could not log in, empty when it could, as soon as it has come to that."""
        self.release()
        return str(self._board.until(self._outcome)["error"])

    def _outcome(self) -> dict[str, Any] | None:
        """Return how the first has ended. When it has not tried, each logs in itself."""
        found = self._board.read(self._name)
        if found is None and (lock := _try_lock(self._board.path(self._name, "login"))) is not None:
            os.close(lock)
            return self._board.read(self._name) or {"error": ""}
        return found

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _try_lock(path: Path) -> int | None:
    """Return the descriptor of the lock, which no started program inherits; None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
