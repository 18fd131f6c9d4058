# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one command per server, shown together as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, BinaryIO

from .errors import CommandError

READ_BYTES = 65536


@dataclass
class Printer:
    """What all streams are printed through, one line at a time. The reader may leave, as `| head` does."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_read: bool = True
    error: OSError | None = None

    def write(self, target: BinaryIO, data: bytes) -> None:
        """Write to one of our own outputs."""
        with self.lock:
            try:
                target.write(data)
                target.flush()
            except OSError as error:
                self.is_read = False
                self.error = self.error if isinstance(error, BrokenPipeError) else error


def show(commands: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """Run a command for each name at the same time, and print what they write as it comes.

    Of one command as it is, of several each line after its name. Returns the exit codes, all 0 when our reader has
    left, and None after Ctrl-C, which the commands receive from the terminal too.
    """
    printer, several = Printer(), len(commands) > 1
    with ExitStack() as running:
        processes = {name: running.enter_context(_start(argv, several=several)) for name, argv in commands.items()}
        try:
            _copy_all(processes, printer, several=several)
            if printer.error:
                raise CommandError(f"The output of the command cannot be written: {printer.error.strerror}.")
            if printer.is_read:
                return {name: process.wait() for name, process in processes.items()}
        except KeyboardInterrupt:
            return None
        finally:
            for process in processes.values():
                process.terminate()
        return dict.fromkeys(processes, 0)


def _start(argv: Sequence[str], *, several: bool) -> subprocess.Popen[bytes]:
    errors = subprocess.PIPE if several else None
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)


def _copy_all(processes: Mapping[str, subprocess.Popen[bytes]], printer: Printer, *, several: bool) -> None:
    """Print what all processes write, until they end or the reader leaves; then all are ended."""
    every = [*processes.values()]
    with ThreadPoolExecutor(2 * len(every)) as pool:
        for name, process in processes.items():
            for stream, target in ((process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer)):
                if stream:
                    pieces = _lines(stream, f"{name}: ".encode()) if several else _pieces(stream)
                    pool.submit(_copy, pieces, target, printer, every)


def _copy(
    pieces: Iterator[bytes], target: BinaryIO, printer: Printer, every: Sequence[subprocess.Popen[bytes]]
) -> None:
    for piece in pieces:
        printer.write(target, piece)
        if not printer.is_read:
            for one in every:
                one.terminate()
            return


def _lines(stream: IO[bytes], prefix: bytes) -> Iterator[bytes]:
    """Yield whole lines: those of several commands must not mix."""
    for line in stream:
        yield prefix + line.removesuffix(b"\n") + b"\n"


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is there, also where it is no whole line."""
    while piece := os.read(stream.fileno(), READ_BYTES):
        yield piece
