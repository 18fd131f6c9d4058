# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when the master dies, and a bound for the process's own exit, whatever the app is stuck in."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import stat
import sys
import threading
import time

OUTPUT, ERRORS = 1, 2
ORPHAN_SECONDS = 10.0  # from the master's end to the worker's


def exit_with_parent(channel_fd: int) -> None:
    """End this process `ORPHAN_SECONDS` after the master's end, even from an import that hangs or a blocked loop.

    What it has started ends with it: there is no master left to see to that.
    """
    # Our own copy: the number may belong to something else by the time that the channel has been closed.
    fd = os.dup(channel_fd)
    pipe = _hold_output()
    threading.Thread(target=_outlive_master, args=(fd, pipe), name="procmon-parent", daemon=True).start()
    # Registered first, called last: after what the app has to do at its end.
    atexit.register(_end_orphans, fd)


def _hold_output() -> int | None:
    """Open the other end of the pipe that our output goes to: a print() would else fail from the master's end on."""
    if not stat.S_ISFIFO(os.fstat(ERRORS).st_mode):
        return None
    return os.open(f"/proc/self/fd/{ERRORS}", os.O_RDONLY)


def _drop_output(pipe: int) -> None:
    """Let what is written vanish, where it still goes to that pipe: nobody reads it, and it will be full."""
    with contextlib.suppress(OSError):  # without a descriptor left, print() fails
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for fd in (OUTPUT, ERRORS):
            with contextlib.suppress(OSError):  # the app may have closed it
                if os.path.sameopenfile(fd, pipe):
                    os.dup2(nowhere, fd)
        os.close(nowhere)
    os.close(pipe)


def _outlive_master(fd: int, pipe: int | None) -> None:
    _master_has_gone(fd, None)
    if pipe is not None:
        _drop_output(pipe)
    time.sleep(ORPHAN_SECONDS)
    try:
        _end_orphans(fd)
    finally:
        os._exit(1)


def _master_has_gone(fd: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(fd, 0)  # no event asked for: poll then tells of the peer's end alone
    return bool(poll.poll(milliseconds))


def _end_orphans(fd: int) -> None:
    """End this worker's process group, itself included, if the master has gone. A forked child may hold the port."""
    if not _master_has_gone(fd, 0):
        return
    try:
        _flush()
    finally:  # whoever read the output may have gone
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)


def end_within(seconds: float, code: int) -> None:
    """Flush and end the process after `seconds`, when it has not ended by then."""
    threading.Thread(target=_end_after, args=(seconds, code), name="procmon-end", daemon=True).start()


def _end_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    try:
        _flush()
    finally:  # whoever read the output may have gone
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
