# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's end has a bound, whatever the app's code is stuck in."""

from __future__ import annotations

import os
import select
import sys
import threading
import time

ORPHAN_SECONDS = 10.0  # from the master's end to the worker's


def end_with_master(control_fd: int) -> None:
    """End this process `ORPHAN_SECONDS` after the master's end, even from an import that hangs or a blocked loop."""
    threading.Thread(target=_outlive_master, args=(control_fd,), name="procmon-master", daemon=True).start()


def _outlive_master(control_fd: int) -> None:
    # Our own copy: the number may belong to something else by the time that the channel has been closed.
    poll = select.poll()
    poll.register(os.dup(control_fd), 0)  # no event asked for: poll then tells of the peer's end alone
    poll.poll()
    end_within(ORPHAN_SECONDS, code=1)


def end_within(seconds: float, code: int) -> None:
    """Flush and end the process after `seconds`, when it has not ended by then."""
    threading.Thread(target=_end_after, args=(seconds, code), name="procmon-end", daemon=True).start()


def _end_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    finally:  # whoever read the output may have gone
        os._exit(code)
