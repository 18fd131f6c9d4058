# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices when the restart file is touched.

What counts is what stat(2) says about its path, asked each second; watching the directory around it only makes the next
look come sooner. So nothing is missed when links are swapped, directories are replaced, or no watch can be had at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from watchfiles import awatch

from .events import Mark
from .release import read_mark

POLL_SECONDS = 1.0
STEP_MILLISECONDS = 50
RUST_TIMEOUT_MILLISECONDS = 60000
RETRY_SECONDS = 60.0

log = logging.getLogger("procmon")


class Watcher:
    """Calls `touched` with each new mark of `path`, the first one included."""

    def __init__(self, path: Path, touched: Callable[[Mark], None]) -> None:
        self._path = path
        self._touched = touched
        self._mark: Mark | None = None
        self._wake = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._watched: tuple[int, int] | None = None
        self._retry_at = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                self.look()
                self._follow_directory()
                await self._pause()
        finally:
            self._unwatch()

    def look(self) -> None:
        """Compare the file with what it was."""
        mark = read_mark(self._path)
        changed, self._mark = mark != self._mark, mark
        if changed and mark is not None:
            self._touched(mark)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except asyncio.TimeoutError:
            return
        self._wake.clear()

    def _follow_directory(self) -> None:
        """Watch the directory that the path leads to now."""
        identity = _identify(self._path.parent)
        if identity != self._watched or (self._watch is None and time.monotonic() >= self._retry_at):
            self._unwatch()
            self._watched = identity
            self._watch = asyncio.create_task(self._hint()) if identity else None

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _hint(self) -> None:
        try:
            directory = self._path.parent.resolve(strict=True)
            changes = awatch(directory, step=STEP_MILLISECONDS, rust_timeout=RUST_TIMEOUT_MILLISECONDS, recursive=False)
            async for _change in changes:
                self._wake.set()
        except Exception as error:
            # Whatever the watch trips over, the looks go on without it.
            log.warning("cannot watch %s (%s): looking at it each second instead", self._path.parent, error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._watch = None


def _identify(directory: Path) -> tuple[int, int] | None:
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
