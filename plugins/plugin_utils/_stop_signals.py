# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C ends all that the process of a task has started. Private to this collection.

Ansible sends such a process SIGINT and, at once, SIGTERM two times. Its handler sets the signal's default before it
passes the signal on to ssh and what else runs. On a busy machine the last SIGTERM comes in between: the process has
ended, and ssh goes on with a deploy that was reported as interrupted.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, "FrameType | None"], Any]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Handle the first signal that stops this process to its end, in the way that is set up."""
    before = {number: handler for number in STOPS if callable(handler := signal.getsignal(number))}
    for number, handler in before.items():
        signal.signal(number, _alone(handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _alone(handler: Handler) -> Handler:
    def handle(number: int, frame: FrameType | None) -> Any:  # noqa: ANN401  the handler's own
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        return handler(number, frame)

    return handle
