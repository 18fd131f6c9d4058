# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that gets the terminal to itself, as `console` does, and ends with this process.

It runs beside this process and not in its place, so that a signal has one exit code here, and what is no terminal can
be a pipe: ssh makes it non-blocking, also for the other programs that share it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from . import output, stopping, streams
from .errors import OF_A_SIGNAL


def run(argv: Sequence[str]) -> int:
    """Run a command to its end, and return its exit code as a shell has it; 0 when the reader of its output leaves."""
    pipes = {name: subprocess.PIPE for number, name in enumerate(output.NAMES) if not os.isatty(number)}
    # An interactive shell ignores SIGTERM.
    with stopping.running(argv, signal.SIGHUP, **pipes) as process:
        if process.stdin:
            threading.Thread(target=_feed, args=(process.stdin,), daemon=True).start()
        try:
            streams.copy(streams.copies(process))
        except BrokenPipeError:
            return 0
        code = _wait(process)
    return code if code >= 0 else OF_A_SIGNAL - code


def _feed(target: IO[bytes]) -> None:
    """Pass our input on until it ends, or the command wants no more of it."""
    with suppress(BrokenPipeError), target:
        while piece := os.read(output.STDIN, streams.READ_BYTES):
            target.write(piece)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end. While the command is stopped, as by ~^Z of ssh, this process is stopped with it."""
    while process.returncode is None:
        _pid, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
        else:
            process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode
