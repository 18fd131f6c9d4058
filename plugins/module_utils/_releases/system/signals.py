# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..model import ReleaseError

Handler = Callable[[int, "FrameType | None"], None]


@contextmanager
def shielded() -> Iterator[None]:
    """Let nobody stop this process by a signal: a lost connection must not leave a deploy half done.

    Handlers and not SIG_IGN, because the hooks would inherit that.
    """
    with _handling(_ignore, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def stoppable() -> Iterator[None]:
    """Within `shielded`, let SIGTERM and SIGINT end what is done here by a ReleaseError."""
    with _handling(_stop, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def _handling(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        # One that comes in between would leave some handlers as they are here.
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number, old in before.items():
            signal.signal(number, old)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    return


def _stop(number: int, _frame: FrameType | None) -> None:
    raise ReleaseError(f"stopped by {signal.Signals(number).name}")
