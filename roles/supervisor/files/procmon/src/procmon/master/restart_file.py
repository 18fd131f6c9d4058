# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices when the restart file is touched.

The truth is what stat(2) returns for its path, asked once per second. watchfiles gives the hint to ask sooner: it
watches the directory that the path leads to now. So no touch is missed where watchfiles hears nothing: when links are
swapped, the directory is recreated, the touch comes from another machine, or no watch can be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from watchfiles import Change, awatch

from ..core.events import FileStamp

POLL_SECONDS = 1.0
POLL_ALONE_SECONDS = 0.25
"""How often to ask where nothing is watched."""
STEP_MILLISECONDS = 50
"""How long watchfiles collects events; it wakes up once per step. 25 would save 60 ms per reload and cost 0.1 % CPU."""
MIN_INTERVAL_SECONDS = 0.05
"""Between two checks, however much happens around the file."""
RETRY_SECONDS = 60.0
COARSE_SECONDS = 2.0
"""How long after a touch another one may leave the same stamp, where a file system keeps whole seconds."""
SECOND_NS = 1_000_000_000

log = logging.getLogger("procmon")
OnTouch = Callable[[FileStamp, bool], None]


def read_stamp(path: Path) -> FileStamp | None:
    """Identify the state of the restart file; None while there is none, or none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return FileStamp(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


class RestartFile:
    """Calls `on_touch` with each new stamp of `path`, the first one included.

    Its second argument reports a touch that the stamp does not show: the file system's clock is too coarse.
    """

    def __init__(self, path: Path, on_touch: OnTouch) -> None:
        self._path = path
        self._on_touch = on_touch
        self._stamp: FileStamp | None = None
        self._watched: tuple[str, int] | None = None
        self._stop_watch = asyncio.Event()
        self._checked_at = 0.0
        self._warning = ""

    def follow(self, path: Path) -> None:
        """Watch another path from now on."""
        if path != self._path:
            self._path, self._stamp = path, read_stamp(path)
            self._stop_watch.set()

    async def run(self) -> None:
        """Check until cancelled."""
        await asyncio.gather(self._poll(), self._watch())

    def check(self, *, hinted: bool = False) -> None:
        """Compare the file with what was seen last. `hinted`: an event says that the file itself has changed."""
        self._checked_at = time.monotonic()
        stamp = read_stamp(self._path)
        changed, self._stamp = stamp != self._stamp, stamp
        if stamp is not None and (changed or (hinted and is_coarse(stamp, time.time_ns()))):
            self._report(stamp, repeated=not changed)

    def _report(self, stamp: FileStamp, *, repeated: bool) -> None:
        try:
            self._on_touch(stamp, repeated)
        except Exception:
            # Unforeseen: later touches are noticed all the same.
            log.exception("could not handle a touch of %s", self._path)

    async def _poll(self) -> None:
        while True:
            self.check()
            if self._watched is not None and self._watched != self._directory():
                self._stop_watch.set()
            await asyncio.sleep(POLL_ALONE_SECONDS if self._watched is None else _until_next(POLL_SECONDS))

    async def _watch(self) -> None:
        while True:
            self._stop_watch.clear()
            self._watched = self._directory()
            failed = False
            if self._watched is not None:
                failed = await self._watch_directory(self._watched[0])
                self._watched = None
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop_watch.wait(), RETRY_SECONDS if failed else POLL_ALONE_SECONDS)

    async def _watch_directory(self, directory: str) -> bool:
        """Check at each hint until the directory is another one; return whether watching failed."""
        try:
            async with contextlib.aclosing(self._hints(directory)) as hints:
                async for changes in hints:
                    await self._check_after(changes)
                    if (Change.deleted, directory) in changes:
                        # One that is created in its place may have the same inode number.
                        self._stop_watch.set()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except Exception as error:
            self._warn(f"cannot watch {directory}: {_describe(error)}; checking it 4 times per second")
            return True
        self._warning = ""
        return False

    def _hints(self, directory: str) -> AsyncGenerator[set[tuple[Change, str]], None]:
        def is_relevant(change: Change, path: str) -> bool:
            return self._is_ours(path) or (path == directory and change is Change.deleted)

        return awatch(
            directory,
            watch_filter=is_relevant,
            step=STEP_MILLISECONDS,
            recursive=False,
            stop_event=self._stop_watch,
            force_polling=False,
        )

    def _is_ours(self, path: str) -> bool:
        return os.path.basename(path) == self._path.name  # noqa: PTH119 - for each event

    async def _check_after(self, changes: set[tuple[Change, str]]) -> None:
        """Check, but not more often than `MIN_INTERVAL_SECONDS`, so that a busy directory costs little."""
        await asyncio.sleep(max(0.0, self._checked_at + MIN_INTERVAL_SECONDS - time.monotonic()))
        self.check(hinted=any(change is not Change.deleted and self._is_ours(path) for change, path in changes))

    def _directory(self) -> tuple[str, int] | None:
        """Return the real directory of the file and its inode; None where there is none."""
        try:
            directory = os.path.realpath(self._path.parent, strict=True)
            return directory, os.stat(directory).st_ino  # noqa: PTH116 - each second
        except OSError:
            return None

    def _warn(self, warning: str) -> None:
        if warning != self._warning:
            log.warning("%s", warning)
        self._warning = warning


def is_coarse(stamp: FileStamp, now_ns: int) -> bool:
    """Return whether a second touch at `now_ns` may have left `stamp` as it was: whole seconds, and just now."""
    return stamp.mtime_ns % SECOND_NS == 0 and 0 <= now_ns - stamp.mtime_ns < COARSE_SECONDS * SECOND_NS


def _describe(error: BaseException) -> str:
    """Put an error into words; watchfiles raises it inside of a group."""
    while inner := getattr(error, "exceptions", ()):
        error = inner[0]
    return f"{type(error).__name__}: {error}"


def _until_next(seconds: float) -> float:
    """Return the time to the next multiple: the workers tick then as well, so the master wakes up once for both."""
    return seconds - time.monotonic() % seconds
