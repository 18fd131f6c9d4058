# SPDX-License-Identifier: GPL-3.0-or-later
"""How a worker is started: the command line and the first message, which both halves of procmon agree on.

The process needs, besides this command line: the release directory as its current directory, the control
socket and the listening socket inherited under their own numbers (`pass_fds`), and nothing else of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .actions import Spawn

BOOT = Path(__file__).parent / "worker" / "boot.py"


def worker_argv(python: str, control_fd: int) -> list[str]:
    """Give the command line of a worker.

    `python` is the interpreter of the app's environment; `control_fd` the number under which the worker inherits its
    end of the `SOCK_SEQPACKET` pair. The listening socket's number follows in the `configure` message. With the fault
    handler on, SIGABRT writes every thread's stack to standard error before it ends the worker.
    """
    return [python, "-X", "faulthandler", str(BOOT), str(control_fd)]


def configuration(wanted: Spawn, listen_fd: int) -> dict[str, Any]:
    """Make the first message to a worker, or to the zygote that is to be forked into it."""
    return {
        "type": "configure",
        "app": wanted.release.app,
        "listen_fd": listen_fd,
        "uvicorn": wanted.release.uvicorn,
        "idle_grace": wanted.release.idle_grace_seconds,
        "silence": wanted.release.silence_seconds,
        "slot": wanted.slot,
        "generation": wanted.generation,
    }
