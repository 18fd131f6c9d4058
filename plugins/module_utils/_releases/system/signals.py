# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Signals: a lost connection must not leave a deploy half done, a stop request must end it cleanly."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import ReleaseError

Handler = Callable[[int, "FrameType | None"], None]


@contextmanager
def uninterruptible() -> Iterator[None]:
    """Ignore SIGHUP, SIGTERM and SIGINT: a lost connection must not leave a deploy half done.

    With handlers and not SIG_IGN, which the hooks would inherit.
    """
    with _handling(_ignore, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Within `uninterruptible`, raise ReleaseError on SIGTERM and SIGINT."""
    with _handling(_stop, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def _handling(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        # A signal in between would leave some handlers unrestored.
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number, old in before.items():
            signal.signal(number, old)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    return


def _stop(number: int, _frame: FrameType | None) -> None:
    raise ReleaseError(f"stopped by {signal.Signals(number).name}")
