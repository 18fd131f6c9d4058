# SPDX-License-Identifier: GPL-3.0-or-later
"""How a worker is started: the command line, the descriptors and the first message, on which both sides agree.

The process needs, besides the command line: the release directory as its current directory, the control socket and the
listening socket inherited under their own numbers (`pass_fds`), and nothing else of ours.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.actions import Spawn
from .processes import Child

BOOT = Path(__file__).parents[1] / "worker" / "boot.py"


def worker_argv(python: str, control_fd: int) -> list[str]:
    """Return the command line of a worker.

    `python` is the interpreter of the app's environment; `control_fd` the number under which the worker inherits its
    end of the `SOCK_SEQPACKET` pair. The listening socket's number follows in the `configure` message. With the fault
    handler on, SIGABRT writes every thread's stack to standard error before it ends the worker.
    """
    return [python, "-X", "faulthandler", str(BOOT), str(control_fd)]


def configure_message(spawn: Spawn, listen_fd: int) -> dict[str, Any]:
    """Return the first message to a worker."""
    config = spawn.release.config
    return {
        "type": "configure",
        "app": config.app,
        "listen_fd": listen_fd,
        "uvicorn": config.uvicorn,
        "idle_grace": config.reload.idle_grace_seconds,
        "drain_timeout": config.reload.drain_timeout_seconds,
        "tick_interval": config.worker.tick_interval_seconds,
        "slot": spawn.slot,
        "generation": spawn.generation,
    }


def launch(python: str, directory: str, env: Mapping[str, str], listen_fd: int) -> Child:
    """Start a worker's program in a release, with the listening socket. Raises OSError, and leaves nothing then."""
    # Without a file descriptor left any of these may fail.
    with contextlib.ExitStack() as ends, contextlib.ExitStack() as ours:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ends.callback(theirs.close)
        ours.callback(control.close)
        output, output_end = os.pipe()
        ends.callback(os.close, output_end)
        ours.callback(os.close, output)
        popen = subprocess.Popen(
            worker_argv(python, theirs.fileno()),
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output_end,
            stderr=output_end,
            pass_fds=(theirs.fileno(), listen_fd),
            start_new_session=True,
        )
        ours.callback(_end_now, popen)
        child = Child(popen.pid, control, output, os.pidfd_open(popen.pid))
        ours.pop_all()
    # From now on its pidfd reports its exit, and `Children` takes the status.
    popen.returncode = 0
    return child


def _end_now(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    popen.wait()
