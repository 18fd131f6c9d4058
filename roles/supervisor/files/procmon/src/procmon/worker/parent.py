# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's exit when its master dies, and a time limit for its own exit, whatever the app is stuck in.

No thread may exist while the app is imported or served: the app would find more than under uvicorn, and gevent cannot
patch an interpreter that has several. The kernel therefore sends SIGIO when the master's end of the channel is closed,
and only then the signal handler starts a thread, which ends the process `ORPHAN_SECONDS` later.

A signal handler in Python runs between two steps of the interpreter, and in system calls that return on a signal:
time.sleep, blocking I/O, locks. A call of a C library that neither returns nor calls back is out of its reach: then
systemd ends the process, together with the rest of the unit.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import select
import signal
import stat
import sys
from _thread import start_new_thread
from time import sleep
from types import FrameType

from . import signals

# Bound here, as are the imports by name: an app that patches these modules (gevent) would have cooperative versions run
# in a thread that has no event loop.
poll, dup2, killpg, exit_process = select.poll, os.dup2, os.killpg, os._exit
OUTPUT, ERRORS = 1, 2
ORPHAN_SECONDS = 10.0  # from the master's exit to the worker's


def exit_with_parent(channel_fd: int) -> None:
    """Exit `ORPHAN_SECONDS` after the master, even from an import that hangs or with a blocked event loop.

    The processes in this one's group exit with it, since no master is left to end them.
    """
    # A duplicate, since its number may belong to another file by the time that the channel has been closed.
    parent = Parent(os.dup(channel_fd))
    signals.install(signal.SIGIO, parent.on_signal)
    fcntl.fcntl(channel_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(channel_fd, fcntl.F_SETFL, fcntl.fcntl(channel_fd, fcntl.F_GETFL) | os.O_ASYNC)
    # Registered first, called last: after the app's own exit handlers.
    atexit.register(parent.end_orphans)
    parent.check()


class Parent:
    """The master, as seen from the worker's end of the channel, which is `fd`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pid = signals.getpid()
        self._output = open_output_pipe()
        self._is_exiting = False

    def on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle SIGIO, which is also sent for each message of the master."""
        self.check()

    def check(self) -> None:
        """Start to exit if the master has exited. A forked child shares the channel and must ignore it."""
        if not self._is_exiting and signals.getpid() == self._pid and self.has_exited():
            self._is_exiting = True
            try:
                start_new_thread(self._exit_late, ())
            except RuntimeError:  # the limit of threads is reached
                self.end_orphans()

    def has_exited(self) -> bool:
        """Return whether the master's end of the channel is closed."""
        poller = poll()
        poller.register(self._fd, 0)  # no event is asked for: poll then reports only the end of the channel
        return bool(poller.poll(0))

    def end_orphans(self) -> None:
        """End this worker's process group, itself included, if the master has exited.

        Otherwise a forked child could keep the port open.
        """
        if signals.getpid() != self._pid or not self.has_exited():
            return
        try:
            flush_output()
        finally:  # the reader of the output may have exited
            if os.getpgrp() == self._pid:
                killpg(0, signal.SIGKILL)

    def _exit_late(self) -> None:
        if self._output is not None:
            drop_output(self._output)
        sleep(ORPHAN_SECONDS)
        try:
            self.end_orphans()
        finally:
            exit_process(1)


def open_output_pipe() -> int | None:
    """Open the reading end of the pipe that our output goes to: without a reader, print() would fail."""
    if not stat.S_ISFIFO(os.fstat(ERRORS).st_mode):
        return None
    return os.open(f"/proc/self/fd/{ERRORS}", os.O_RDONLY)


def drop_output(pipe: int) -> None:
    """Discard what is written to that pipe from now on: it has no reader, and would fill up and block."""
    with contextlib.suppress(OSError):  # without a free descriptor, print() fails
        null = os.open(os.devnull, os.O_WRONLY)
        for fd in (OUTPUT, ERRORS):
            with contextlib.suppress(OSError):  # the app may have closed it
                if os.path.sameopenfile(fd, pipe):
                    dup2(null, fd)
        os.close(null)
    os.close(pipe)


def exit_within(seconds: float, code: int) -> None:
    """Flush and exit after `seconds`, unless the process has exited by then."""
    start_new_thread(_exit_after, (seconds, code))


def _exit_after(seconds: float, code: int) -> None:
    sleep(seconds)
    try:
        flush_output()
    finally:  # the reader of the output may have exited
        exit_process(code)


def flush_output() -> None:
    """Flush what the app has printed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
