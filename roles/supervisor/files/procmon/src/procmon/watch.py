# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices when the restart file is touched.

What counts is what stat(2) says about its path, asked every five seconds; watching the directories that decide about it
only makes the next look come sooner. So nothing is missed when links are swapped, directories are replaced, events
overflow, or no watch can be had at all.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from .events import Mark
from .inotify import ITSELF, WITHIN, Inotify
from .reactor import Reactor, Timer
from .release import read_mark

LOOK_SECONDS = 5.0
ALONE_SECONDS = 0.25
"""How often to look where nothing is watched."""
SETTLE_SECONDS = 0.01
"""From the first event to the look: making a file is an event, and setting its time is the next one."""
GAP_SECONDS = 0.05
"""Between two looks, however much happens around the file."""
RETRY_SECONDS = 60.0
MOST_LINKS = 40

log = logging.getLogger("procmon")


class Watcher:
    """Calls `touched` with each new mark of `path`, the first one included."""

    def __init__(self, path: Path, touched: Callable[[Mark], None], reactor: Reactor) -> None:
        self._path = path
        self._touched = touched
        self._reactor = reactor
        self._mark: Mark | None = None
        self._timer: Timer | None = None
        self._looked_at = 0.0
        self._inotify: Inotify | None = None
        self._retry_at = 0.0
        self._trouble = ""

    def start(self) -> None:
        """Look now and from now on."""
        self._looked_at = time.monotonic()
        self._watch()
        # At the moments when workers without news tell that they live: then the master is up anyway.
        self._look_in(LOOK_SECONDS - self._looked_at % LOOK_SECONDS if self._inotify else ALONE_SECONDS)
        mark = read_mark(self._path)
        changed, self._mark = mark != self._mark, mark
        if changed and mark is not None:
            self._touched(mark)

    def stop(self) -> None:
        """Look no more."""
        self._reactor.cancel(self._timer)
        self._unwatch()

    def _look_in(self, seconds: float) -> None:
        self._reactor.cancel(self._timer)
        self._timer = self._reactor.at(time.monotonic() + seconds, self.start)

    def _hear(self) -> None:
        """Something has happened: look in a moment, and hear nothing before, so that a busy directory costs little."""
        if self._inotify is not None:
            self._reactor.forget(self._inotify)
        self._look_in(max(SETTLE_SECONDS, self._looked_at + GAP_SECONDS - time.monotonic()))

    def _watch(self) -> None:
        """Watch whatever the path leads through now. What happens from here on leads to another look."""
        try:
            if self._inotify is None and time.monotonic() >= self._retry_at:
                self._inotify = Inotify()
            if self._inotify is not None:
                self._inotify.drain()
                self._reactor.on_ready(self._inotify, self._hear)
                self._inotify.follow(directories(str(self._path)))
                self._trouble = ""
        except (FileNotFoundError, NotADirectoryError):
            # What is missing will appear in the last directory that was there.
            return
        except OSError as error:
            self._unwatch()
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._tell(
                f"cannot watch {self._path.parent} ({error}): looking at it {1 / ALONE_SECONDS:g} times a second"
            )

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble

    def _unwatch(self) -> None:
        if self._inotify is not None:
            self._reactor.forget(self._inotify)
            self._inotify.close()
            self._inotify = None


def directories(path: str) -> Iterator[tuple[str, int]]:
    """Give those that `path` leads through, with what is to be watched for.

    That is what happens within the last one and within each that holds a link on the way, whose name is read once the
    directory has been taken. Where a part is missing, the last directory is the one before.
    """
    at, names, links = "/", deque(_names(path)), 0
    while names and links < MOST_LINKS:
        entry = os.path.join(at, names.popleft())  # noqa: PTH118 - at each look
        decides = not names or os.path.islink(entry) or not os.path.isdir(entry)  # noqa: PTH112, PTH114 - as above
        yield at, WITHIN if decides else ITSELF
        target = _target(entry)
        if target is None:
            at = entry
        else:
            at, links = "/" if target.startswith("/") else at, links + 1
            names.extendleft(reversed(_names(target)))


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def _target(entry: str) -> str | None:
    try:
        return os.readlink(entry)  # noqa: PTH115 - as above
    except OSError:
        return None
