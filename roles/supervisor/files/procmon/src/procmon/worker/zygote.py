# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that imports the app once for all workers of a generation, and is forked into each of them.

It never starts the app: lifespan, event loop, threads and connections belong to the workers alone. An app whose import
has started any of these cannot be shared, and the master is told so.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from .app import load
from .control import GONE, Control, Order

if TYPE_CHECKING:
    import uvicorn

MARK = "PROCMON_WORKER"
"""The variable that names a worker to all that it starts, as the master gives it to one that it starts itself."""
PR_SET_PDEATHSIG = 1
ADOPTION_SECONDS = 0.001


def be_forked(control: Control, config: uvicorn.Config, app: str, listen_fd: int) -> Control:
    """Import the app, then become a worker for each order to fork; returns the worker's own channel, in it alone.

    Raises WorkerError when the app cannot be imported.
    """
    _die_with_master(control)
    load(config, app)
    if danger := find_danger({control.fileno(), listen_fd}):
        control.say({"type": "unsafe", "error": danger})
        _leave()
    gc.collect()
    # What is there now stays as it is: a collection would write to each object, and so copy its page for each worker.
    gc.freeze()
    control.say({"type": "loaded"})
    order = _fork_for_each_order(control)
    control.close()
    return _enter(order)


def _fork_for_each_order(control: Control) -> Order:
    """Give the order that this process, a new worker, was forked for; the zygote itself ends here with the channel."""
    while (order := control.read()) is not GONE:
        if _fork():
            break
        order.discard()
    else:
        _leave()
    return order


def find_danger(own: set[int]) -> str:
    """Say what forbids to fork this process: whatever two processes cannot share. Empty when nothing does."""
    threads = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - only the names; threads of libraries count, too
    if threads:
        return f"{threads} more thread{'s run' if threads > 1 else ' runs'} once the app is imported"
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - as above
        if fd > 2 and fd not in own and (found := _describe(fd)):  # noqa: PLR2004 - standard input, output, errors
            return f"the app's import has left open {found}"
    return ""


def _describe(fd: int) -> str:
    """Name an open file that only one process can use; empty for any other, such as a log."""
    try:
        target = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - one import less
        with open(f"/proc/self/fdinfo/{fd}") as info:  # noqa: PTH123 - one import less
            flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
    except FileNotFoundError:
        # The descriptor by which the directory was listed.
        return ""
    shared_offset = target.startswith("/") and not target.startswith("/dev/") and flags & os.O_ACCMODE == os.O_RDWR
    return target if shared_offset or target.startswith(("socket:", "anon_inode:[eventpoll]")) else ""


def _fork() -> bool:
    """Fork; True in the new worker. Its parent leaves at once, so that the master adopts it, as a subreaper does."""
    try:
        between = os.fork()
    except OSError:
        # The end of its channel tells the master.
        return False
    if between:
        os.waitpid(between, 0)
        return False
    parent = os.getpid()
    try:
        leaves = os.fork() != 0
    except OSError:
        leaves = True
    if leaves:
        os._exit(0)
    while os.getppid() == parent:
        time.sleep(ADOPTION_SECONDS)
    return True


def _enter(order: Order) -> Control:
    """Take a worker's place: its session, its output, its mark and its channel."""
    control_fd, output_fd = order.fds
    os.setsid()
    for fd in (1, 2):
        os.dup2(output_fd, fd)
    os.close(output_fd)
    os.environ[MARK] = str(order.body["worker"])
    control = Control(control_fd)
    control.say({"type": "forked", "pid": os.getpid()})
    return control


def _die_with_master(control: Control) -> None:
    """Have the kernel end this process with the master, even in an import that hangs; a thread would forbid to fork."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if control.has_ended():
        _leave()


def _leave() -> NoReturn:
    """End without what the app has registered for its own end: it has never begun."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
