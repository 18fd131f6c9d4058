# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""No program that this module starts outlives it, in whatever way it is killed.

A small shell process, the guard, reads lines from a pipe: the number of a process group when it starts, an empty line
when it has ended. There is one child at a time. When this process dies the pipe ends; then the guard kills the group it
read last, waits for its end, and exits. It holds the project's lock until then.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

SCRIPT = """
group= tries=0
while read -r line; do group=$line; done
test "$group" && kill -s KILL -- "-$group" || exit 0
while test $((tries += 1)) -lt 250 && kill -s 0 -- "-$group"; do sleep 0.02; done
"""
_line: ContextVar[int | None] = ContextVar("_line", default=None)


@contextmanager
def kill_children_on_death(lock: int) -> Iterator[None]:
    """Kill the programs that are started in here when this process is killed, in whatever way.

    The descriptor `lock` stays open until they have ended, so that no other run gets the lock before.
    """
    # run_command waits for the end of what it starts, and this has to outlive us.
    with subprocess.Popen(  # pylint: disable=ansible-bad-function
        ["/bin/sh", "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # It must survive a terminal that hangs up, and a signal to our process group.
        start_new_session=True,
        pass_fds=(lock,),
    ) as guard:
        outer = _line.set(guard.stdin.fileno() if guard.stdin else None)
        try:
            yield
        finally:
            _line.reset(outer)


@contextmanager
def track_child() -> Iterator[Callable[[], None] | None]:
    """Yield the `preexec_fn` of a program that leads a session of its own, which is killed with this process.

    It takes no lock that a thread of this process could hold.
    """
    line = _line.get()
    if line is None:
        yield None
        return
    try:
        yield lambda: _send(line, str(os.getpid()))
    finally:
        _send(line, "")


def _send(line: int, text: str) -> None:
    # A guard that was killed is no reason to fail.
    with suppress(OSError):
        os.write(line, f"{text}\n".encode())
