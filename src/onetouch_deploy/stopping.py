# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT, SIGTERM and SIGHUP: each ends the command at once, with what it has started and its temporary files.

A handler raises `Stopped` wherever the command stands, also where it waits for a reader of its output. What must not be
left half begun, such as a process that no one would end, is begun in a block of `held`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from .errors import OF_A_SIGNAL

if TYPE_CHECKING:
    import subprocess

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What runs on this machine has 5 s of its own to end with all that it has started.
END_SECONDS = 10.0


class Stopped(BaseException):
    """Raised when a signal ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def code(self) -> int:
        """The exit code, as a shell has it."""
        return OF_A_SIGNAL + self.number


@dataclass
class Handler:
    """Raises Stopped for the first signal, in a block of `held` at its end. Further ones must not stop the clean-up."""

    is_held: bool = False
    number: int = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            return
        self.number = number
        if not self.is_held:
            raise Stopped(number)


@contextmanager
def handled() -> Iterator[None]:
    """Raise Stopped for signals within a block."""
    with handled_by(Handler()):
        yield


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle signals within a block. One that this process was started to ignore, as by nohup, is ignored."""
    numbers = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def held() -> Iterator[None]:
    """Hold a signal back until a block has come to its end."""
    handler = next((found for found in map(signal.getsignal, NUMBERS) if isinstance(found, Handler)), Handler())
    before, handler.is_held = handler.number, True
    try:
        yield
    finally:
        handler.is_held = False
    if handler.number != before:
        raise Stopped(handler.number)


@contextmanager
def running(
    argv: Sequence[str],
    end_with: signal.Signals = signal.SIGTERM,
    **options: Any,  # noqa: ANN401  those of Popen
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and end it with the block."""
    import subprocess  # noqa: PLC0415  a deploy starts sooner without

    process: subprocess.Popen[bytes] | None = None
    try:
        with held():
            process = subprocess.Popen(argv, bufsize=0, **options)
        yield process
    finally:
        if process is not None:
            end(process, end_with)


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a program that still runs, and close what was read from it and written to it."""
    import subprocess  # noqa: PLC0415  as above

    process.send_signal(number)
    with process:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
