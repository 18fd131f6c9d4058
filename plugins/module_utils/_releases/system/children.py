# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

# Reads the number of each process group at its start and an empty line at its end. Whatever is left when nobody
# writes any more belongs to a run that was killed. The guard goes when all of it has gone.
SCRIPT = """
group= tries=0
while read -r line; do group=$line; done
test "$group" && kill -s KILL -- "-$group" || exit 0
while test $((tries += 1)) -lt 250 && kill -s 0 -- "-$group"; do sleep 0.02; done
"""
_line: ContextVar[int | None] = ContextVar("_line", default=None)


@contextmanager
def on_duty(lock: int) -> Iterator[None]:
    """Have the programs that are started in here end when this process is killed, in whatever way.

    The descriptor `lock` stays open until they have: nobody else gets the lock before.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Neither a terminal that hangs up nor whoever kills our group is to end it.
        start_new_session=True,
        pass_fds=(lock,),
    ) as guard:
        outer = _line.set(guard.stdin.fileno() if guard.stdin else None)
        try:
            yield
        finally:
            _line.reset(outer)


@contextmanager
def watching() -> Iterator[Callable[[], None] | None]:
    """Give what a program that leads a session of its own has to do first (`preexec_fn`), to be watched in here.

    It does nothing that threads of this process could stand in the way of.
    """
    line = _line.get()
    if line is None:
        yield None
        return
    try:
        yield lambda: _tell(line, str(os.getpid()))
    finally:
        _tell(line, "")


def _tell(line: int, text: str) -> None:
    # Somebody has killed the guard: that is no reason to fail.
    with suppress(OSError):
        os.write(line, f"{text}\n".encode())
