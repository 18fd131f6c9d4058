# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Running a program for as long as the command on the laptop is there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Optional

from ..errors import ReleaseError
from . import caller, signals
from .run import encode_environment, encode_word, terminate

# A file, or this process's own.
Output = Optional[IO[bytes]]
# In case a signal was lost.
LOOK_SECONDS = 5.0
OF_A_SIGNAL = 128
INTERRUPTED = 130


def run(
    argv: Sequence[str], directory: Path, environment: Mapping[str, str], out: Output = None, err: Output = None
) -> int:
    """Run a program, and return its exit code as a shell has it. It has no input.

    When the reader of this process's output goes, or this process is to end, the program is ended with all that it has
    started. Raises ReleaseError when it is not there.
    """
    with _wakened() as bell:
        process = _start(argv, directory, environment, (out, err))
        try:
            with signals.interruptible():
                while process.poll() is None:
                    caller.require_present_for(LOOK_SECONDS, bell)
        except ReleaseError:
            with signals.uninterruptible():
                terminate(process)
            return INTERRUPTED
    return process.returncode if process.returncode >= 0 else OF_A_SIGNAL - process.returncode


def _start(
    argv: Sequence[str], directory: Path, environment: Mapping[str, str], outputs: tuple[Output, Output]
) -> subprocess.Popen[bytes]:
    try:
        # run_command collects the output and ends what falls silent.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            [*map(encode_word, argv)],
            cwd=directory,
            env=encode_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=outputs[0],
            stderr=outputs[1],
            start_new_session=True,
        )
    except OSError as reason:
        raise ReleaseError(f"{argv[0]}: {_problem(reason)}", "check its name and the release") from reason


def _problem(reason: OSError) -> str:
    return "not found" if isinstance(reason, FileNotFoundError) else str(reason.strerror)


@contextmanager
def _wakened() -> Iterator[int]:
    """Yield a descriptor that can be read when a child has ended."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before)
        os.close(reader)
        os.close(writer)
