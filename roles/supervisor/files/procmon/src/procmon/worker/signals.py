# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's signal handlers, which must not act in the processes that the app forks.

A forked child inherits Python's handlers and, with the wake-up descriptor, the event loop's: a SIGTERM sent to the
child would be reported to the worker's loop, and the child would survive it. Children get the default actions instead.
A program started by exec has them anyway.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

# Bound here, so that an app that patches these modules (gevent) does not change what runs in a signal handler.
getpid, kill = os.getpid, os.kill
DEFAULT_ACTIONS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
_installed: dict[int, Handler] = {}
_mask_before_fork = threading.local()


def install(signum: int, handler: Handler) -> None:
    """Handle a signal in this process; children that it forks get the default action."""
    _installed[signum] = handler
    signal.signal(signum, handler)


def reset_in_forked_children() -> None:
    """Reset the actions to their defaults in each forked child. SIGTERM waits until they are set."""
    os.register_at_fork(before=_block_sigterm, after_in_parent=_unblock_sigterm, after_in_child=_reset)


def _block_sigterm() -> None:
    _mask_before_fork.value = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _unblock_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask_before_fork.value)


def _reset() -> None:
    """Restore the default action of each signal whose handler the app has not replaced."""
    with contextlib.suppress(ValueError):  # not the main thread of this interpreter
        signal.set_wakeup_fd(-1)
        for signum, handler in _installed.items():
            if signal.getsignal(signum) == handler:
                signal.signal(signum, DEFAULT_ACTIONS.get(signum, signal.SIG_DFL))
    _unblock_sigterm()


def default_action(signum: int) -> None:
    """Do what the signal does by default: a handler of the app may have called ours."""
    signal.signal(signum, signal.SIG_DFL)
    kill(getpid(), signum)
