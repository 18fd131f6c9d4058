# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is under way: Ansible in a process of its own, by ansible-runner, in a thread of its own.

ansible-runner sets handlers of signals where it runs in the main thread, and does not restore them. It never does here:
Ctrl-C stays what the program has made of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from .engine import Job, run_job
from .errors import RefusedError
from .events import Event, Output
from .following import Follower
from .outcome import Outcome

# How long Ansible may take to end by itself after a cancellation.
END_SECONDS = 10.0
# Ansible's exit code for what it refused before it asked a server.
REFUSED = 5


class Run:
    """A run. `with` waits for its end; an exception in the block cancels it.

    Iterating yields each event, from the first one on, until the run has ended. All methods may be called from any
    thread.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._cancelled_at: float | None = None
        self._outcome: Outcome | None = None
        self._failure: BaseException | None = None
        # Not a daemon: a program that ends without waiting lets the run come to its end.
        self._thread = threading.Thread(target=self._work, name=f"onetouch_deploy {job.command}")
        self._thread.start()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()
        self._wait(None)

    def __iter__(self) -> Iterator[Event]:
        position = 0
        while True:
            new = self._events_from(position)
            if not new:
                return
            yield from new
            position += len(new)

    def _events_from(self, position: int) -> list[Event]:
        """Return the events after the first `position` ones, as soon as there are any; none after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self.done or len(self._events) > position)
            return self._events[position:]

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._outcome is not None or self._failure is not None

    def cancel(self) -> None:
        """End Ansible on this machine; does not wait for it.

        Before the switch a server changes nothing. After it, it comes to its own end or restores what was live.
        """
        with self._changed:
            self._cancelled_at = self._cancelled_at or time.monotonic()

    def wait(self, timeout: float | None = None) -> Outcome:
        """Return the outcome once the run has ended.

        Raises TimeoutError when that takes longer than `timeout` seconds, RefusedError when Ansible has refused it.
        """
        if not self._wait(timeout):
            raise TimeoutError(f"{self._job.command} is still under way after {timeout} s.")
        if self._outcome is None:
            raise self._failure or RuntimeError("the run has no outcome")
        return self._outcome

    def _wait(self, timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.done, timeout)

    def _work(self) -> None:
        failure: BaseException | None = None
        outcome: Outcome | None = None
        try:
            # What a process leaves that had to be killed may still change.
            with TemporaryDirectory(prefix="deploy-", ignore_cleanup_errors=True) as directory:
                outcome = self._run(Path(directory))
        except BaseException as error:
            failure = error
        with self._changed:
            self._outcome, self._failure = outcome, failure
            self._changed.notify_all()

    def _run(self, directory: Path) -> Outcome:
        follower, lines = Follower(self._job.command), Lines(directory / "events")

        def read() -> None:
            for line in lines.read():
                self._add(*follower.add(line))

        def is_to_be_killed() -> bool:
            read()
            if self._cancelled_at is None:
                return False
            # The callback plugin ends Ansible; before it has begun, nothing has been asked of a server.
            with suppress(OSError):  # on a disk that is full, time will be up
                (directory / "cancel").touch()
            return not follower.has_begun or time.monotonic() > self._cancelled_at + END_SECONDS

        end = run_job(self._job, directory, is_to_be_killed, lambda text: self._add(Output(text)))
        read()
        cancelled = self._cancelled_at is not None and end.code != 0
        self._add(*follower.finish(cancelled=cancelled))
        if end.code == REFUSED and not follower.results():
            raise RefusedError(end.error)
        # Of an Ansible that could not start, what it printed is the reason.
        reason = end.error or ("" if follower.has_begun else end.last)
        return Outcome(self._job.command, end.code, follower.results(), cancelled, "" if cancelled else reason)

    def _add(self, *events: Event) -> None:
        with self._changed:
            self._events += events
            self._changed.notify_all()


class Lines:
    """The whole lines of a file that another process appends to."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0

    def read(self) -> list[str]:
        """Return the lines that are new; none while there is no file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            whole, newline, _part = file.read().rpartition(b"\n")
        self._position += len(whole + newline)
        return whole.decode("utf-8", "replace").split("\n") if newline else []
