# SPDX-License-Identifier: GPL-3.0-or-later
"""One procmon for one state directory. The kernel's lock also tells others whether procmon runs."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

NAME = "lock"

log = logging.getLogger("procmon")


class LockError(Exception):
    """Raised when the state directory cannot be had."""


def take(state: Path) -> int:
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
            f"state_dir = {str(state)!r} belongs to the procmon that runs as pid {pid}: stop it first"
        ) from None
    _sign(fd)
    return fd


def _sign(fd: int) -> None:
    """Leave our pid for whoever is refused. What counts is the lock: a full file system does not keep a site down."""
    try:
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
    except OSError as error:
        log.warning("cannot write our pid into the lock file: %s", error.strerror)


def holder(state: Path) -> int:
    """Return the pid of the procmon that holds `state`; 0 when none has written it."""
    return int((state / NAME).read_text() or 0)


def running(state: Path) -> bool:
    """Say whether a procmon holds `state`."""
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
