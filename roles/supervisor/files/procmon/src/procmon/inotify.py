# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's word that something has happened in a directory. What it was, stat(2) tells better."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable

IN_ATTRIB = 0x004
IN_CLOSE_WRITE = 0x008
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_MASK_ADD = 0x20000000
ITSELF = IN_DELETE_SELF | IN_MOVE_SELF
"""That the directory is removed or moved, whatever happens in it."""
# Not IN_MODIFY: an upload that is being written would have us look at each of its pieces.
WITHIN = ITSELF | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE
"""That, and what happens to the names in it and to what they name."""
READ_BYTES = 65536
MOST_READS = 16
"""What is left after these is read at the next wake-up: it may be that it comes faster than we read."""


class Inotify:
    """One instance of inotify(7). Raises OSError where there is none to be had, or no watch."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        except AttributeError:
            raise OSError("this system has no inotify") from None
        self._watches: frozenset[int] = frozenset()

    def fileno(self) -> int:
        """Return what becomes readable when something has happened."""
        return self._fd

    def follow(self, directories: Iterable[tuple[str, int]]) -> None:
        """Watch `directories` for what is said beside, each before the next is asked for, and nothing else any more."""
        watches: set[int] = set()
        try:
            for path, mask in directories:
                watches |= self._add(path, mask)
        finally:
            for gone in self._watches - watches:
                # It may have ended with its directory.
                self._libc.inotify_rm_watch(self._fd, gone)
            self._watches = frozenset(watches)

    def drain(self) -> None:
        """Forget what has happened so far."""
        with contextlib.suppress(BlockingIOError):
            for _read in range(MOST_READS):
                os.read(self._fd, READ_BYTES)

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self._fd)

    def _add(self, path: str, mask: int) -> set[int]:
        """Return the watch: the same one for a path that leads where it led, and for a new directory another one."""
        try:
            return {self._checked(self._libc.inotify_add_watch(self._fd, os.fsencode(path), mask | IN_MASK_ADD), path)}
        except PermissionError:
            # One that may be passed through and not read is done without where only it itself matters.
            if mask == ITSELF:
                return set()
            raise

    @staticmethod
    def _checked(result: int, path: str | None = None) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return result
