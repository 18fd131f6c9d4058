# SPDX-License-Identifier: GPL-3.0-or-later
"""One procmon per state directory. The kernel's lock also shows others whether procmon runs."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

NAME = "lock"

log = logging.getLogger("procmon")


class LockError(Exception):
    """Raised when the state directory cannot be used."""


def acquire(state: Path) -> int:
    """Create `state` where it is missing and lock it for this process; return the descriptor. Raises `LockError`."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        fd = os.open(state / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LockError(f"state_dir = {str(state)!r} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(fd, 32).decode().strip() or "(unknown)"
        os.close(fd)
        raise LockError(
            f"state_dir = {str(state)!r} is in use by the procmon with pid {pid}: stop that one first"
        ) from None
    _write_pid(fd)
    return fd


def _write_pid(fd: int) -> None:
    """Leave our pid for the next one, which is refused. The lock alone counts: a full disk keeps no site down."""
    try:
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
    except OSError as error:
        log.warning("cannot write our pid into the lock file of the state directory: %s", error.strerror)


def owner_pid(state: Path) -> int:
    """Return the pid of the procmon that holds `state`; 0 when none has written it."""
    return int((state / NAME).read_text() or 0)


def running(state: Path) -> bool:
    """Return whether a procmon holds `state`."""
    try:
        fd = os.open(state / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
