# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one command per server, shown together as it comes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from .errors import INTERRUPTED


def show(commands: Mapping[str, Sequence[str]]) -> int:
    """Run a command for each name at the same time, and print their lines: of several each after its name.

    Returns the first exit code that is not 0. Ctrl-C, which the commands receive from the terminal too, ends it.
    """
    with ExitStack() as running:
        processes = {name: running.enter_context(_start(argv)) for name, argv in commands.items()}
        try:
            if _copy_all({name if len(commands) > 1 else "": one for name, one in processes.items()}):
                return next((code for process in processes.values() if (code := process.wait())), 0)
        except KeyboardInterrupt:
            return INTERRUPTED
        finally:
            for process in processes.values():
                process.terminate()
        return 0


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def _copy_all(processes: Mapping[str, subprocess.Popen[bytes]]) -> bool:
    """Print the lines of all processes as they come; return whether the reader of our own output stayed."""
    open_pipe = threading.Event()
    open_pipe.set()
    lock = threading.Lock()
    with ThreadPoolExecutor(len(processes)) as pool:
        for name, process in processes.items():
            pool.submit(_copy, process, f"{name}: " if name else "", lock, open_pipe, list(processes.values()))
    return open_pipe.is_set()


def _copy(
    process: subprocess.Popen[bytes],
    prefix: str,
    lock: threading.Lock,
    open_pipe: threading.Event,
    every: Sequence[subprocess.Popen[bytes]],
) -> None:
    """Print the lines of one process. When our own output is closed, as by `| head`, all processes are ended."""
    for line in process.stdout or ():
        with lock:
            try:
                sys.stdout.buffer.write(prefix.encode() + line)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                open_pipe.clear()
        if not open_pipe.is_set():
            for one in every:
                one.terminate()
            return
