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
# As of a shell.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
# In case a signal was lost.
LOOK_SECONDS = 5.0
OF_A_SIGNAL = 128
INTERRUPTED = 130


class NotStartedError(ReleaseError):
    """Raised when a program cannot be started. `code` is the exit code that a shell has for it."""

    def __init__(self, msg: str, hint: str, code: int) -> None:
        super().__init__(msg, hint)
        self.code = code


def run(
    argv: Sequence[str], directory: Path, environment: Mapping[str, str], out: Output = None, err: Output = None
) -> int:
    """Run a program, and return its exit code as a shell has it. It has no input.

    When the reader of this process's output goes, or this process is to end, the program is ended with all that it has
    started. Raises NotStartedError when it is not there, or cannot be executed.
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
        raise _failure(argv, directory, reason) from reason


def _failure(argv: Sequence[str], directory: Path, reason: OSError) -> ReleaseError:
    """Return why a program was not started. As a word, it may be in the search path."""
    if not directory.is_dir():
        return ReleaseError(f"{directory}: {reason.strerror}", "the release was removed. Run it again")
    if not isinstance(reason, FileNotFoundError):
        hint = "make it executable, with a line #! at its top, or name its interpreter"
        return NotStartedError(f"{argv[0]}: {reason.strerror}", hint, NOT_EXECUTABLE)
    if "/" in argv[0] and (directory / argv[0]).exists():
        return NotStartedError(
            f"{argv[0]}: its interpreter is not found", "check the line #! at its top", NOT_EXECUTABLE
        )
    if len(argv) == 1 and len(argv[0].split()) > 1:
        return NotStartedError(f"{argv[0]}: not found", "leave out the quotes around the whole command", NOT_FOUND)
    return NotStartedError(f"{argv[0]}: not found", "check its name and the release", NOT_FOUND)


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
