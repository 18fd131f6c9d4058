# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this command writes itself: its outputs may be closed, full, or no longer read.

A reader that has left, as `| head` does, wanted no more: that ends the command without a word. Any other output that
cannot be written is a failure, which has an exit code: a script would take what is missing for the whole.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from .errors import OUTPUT_FAILED, CommandError
from .plan import PROGRAM

STDIN, STDOUT, STDERR = range(3)
NAMES = ("stdin", "stdout", "stderr")
CLOSED = "Standard output is closed. Nothing was done. To drop the output, write it to /dev/null."


def failure(error: OSError) -> CommandError:
    """Return the error for an output that cannot be written."""
    reason = error.strerror or str(error)
    message = f"The output cannot be written: {reason}. It is incomplete. Make room, or write it to another place."
    return CommandError(message, OUTPUT_FAILED)


def open_closed() -> list[int]:
    """Open what is closed of input and outputs as /dev/null, and return their numbers.

    Otherwise a file gets the number, and with it what is printed. Python has None for such an output, which packages
    do not expect.
    """
    closed = [number for number in (STDIN, STDOUT, STDERR) if is_closed(number)]
    for number in closed:
        # It gets the lowest number that is free.
        os.open(os.devnull, os.O_RDWR)
        os.set_inheritable(number, True)
    for number, name in enumerate(NAMES):
        if getattr(sys, name) is None:
            mode = "r" if number == STDIN else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  it stays open
    return closed


def require_open() -> None:
    """Raise CommandError where standard output is closed: what was asked for could not be seen."""
    if STDOUT in open_closed():
        raise CommandError(CLOSED, OUTPUT_FAILED)


def is_closed(number: int) -> bool:
    """Return whether a descriptor is not open."""
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def write(number: int, data: bytes) -> None:
    """Write to one of our outputs. Raises BrokenPipeError when its reader has left, otherwise CommandError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(number, rest) :]
        except BrokenPipeError:
            raise
        except BlockingIOError:
            # Another program that shares it has made it so.
            select.select([], [number], [])
        except OSError as error:
            raise failure(error) from error


def drop() -> None:
    """Drop what is printed and not written: Python would try it again at its end, and report that."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, STDOUT)
    os.close(nothing)


def show(lines: Sequence[str]) -> None:
    """Print lines. On a terminal a control character in them is written as text: a value may come from anywhere."""
    for line in lines:
        print(printable(line) if sys.stdout.isatty() else line)


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal."""
    from ansible_collections.onetouch.deploy.plugins.module_utils._releases import printable as texts  # noqa: PLC0415

    return texts.printable(text)


def report(message: str, before: str = "") -> None:
    """Print a message of this command as an error. Where that cannot be written, the exit code is all that is left."""
    text = f"{PROGRAM}: {message}"
    with suppress(OSError):
        print(before + (fitting(text) if os.isatty(STDERR) else text), file=sys.stderr, flush=True)


def fitting(text: str) -> str:
    """Return a text for the terminal of standard error, broken between words."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.text import hang  # noqa: PLC0415

    columns = os.get_terminal_size(STDERR).columns or 80
    return "\n".join(part for line in text.split("\n") for part in hang(printable(line), columns))


class Watched(io.FileIO):
    """Standard output, with the first error of writing to it. What `goes_on` prints the rest to /dev/null then."""

    def __init__(self, *, goes_on: bool = False) -> None:
        super().__init__(STDOUT, "w", closefd=False)
        self.goes_on = goes_on
        self.error: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401  the buffer of an io.BufferedWriter
        """Write as any file does."""
        try:
            return super().write(data)
        except OSError as error:
            self.error = self.error or error
            if not self.goes_on:
                raise
        drop()
        return len(data)

    @property
    def failure(self) -> CommandError | None:
        """The error for what could not be written; none where the reader has left."""
        return failure(self.error) if self.error and self.error.errno != errno.EPIPE else None


def watch(*, goes_on: bool = False) -> Watched:
    """Make all that this process prints go through a Watched, and return that."""
    watched, before = Watched(goes_on=goes_on), cast("io.TextIOWrapper", sys.stdout)
    # With PYTHONUNBUFFERED Python writes everything at once, and has no lines.
    at_once = before.line_buffering or before.write_through
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(watched), before.encoding, before.errors, line_buffering=at_once)
    return watched
