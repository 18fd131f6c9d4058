# SPDX-License-Identifier: GPL-3.0-or-later
"""This process's own memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def give_back() -> None:
    """Let the system have what the start has used and nobody uses any more."""
    gc.collect()
    # glibc alone keeps it, and so has the function.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
