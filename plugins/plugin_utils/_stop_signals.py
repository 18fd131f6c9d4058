# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C ends all that the process of a task has started. Private to this collection.

Ansible sends such a process SIGINT and, at once, SIGTERM two times. Its handler sets the signal's default before it
passes the signal on to ssh and what else runs. On a busy machine the last SIGTERM comes in between: the process has
ended, and ssh goes on with a deploy that was reported as interrupted.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)
FAILED = 1


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Pass the first signal that stops this process on to all that it has started, whatever comes after it.

    Ansible makes the process of a task the leader of a group; in any other one nothing changes.
    """
    if os.getpgrp() != os.getpid():
        yield
        return
    before = {number: signal.signal(number, _pass_on) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(number: int, _frame: FrameType | None) -> None:
    # Blocked, a signal would reach another thread of this process.
    for stop in STOPS:
        signal.signal(stop, signal.SIG_IGN)
    os.killpg(0, number)
    os._exit(FAILED)
