# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one command per server, shown together as it comes.

The commands write to pipes, never to our own outputs: ssh makes what it writes to non-blocking, also for all other
programs that share it, such as an Ansible on the same terminal.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from . import output, stopping

READ_BYTES = 65536


@dataclass
class Copy:
    """What a command writes, on its way to one of our own outputs.

    With a prefix each whole line begins with that: those of several commands must not mix.
    """

    source: int
    target: int
    prefix: bytes = b""
    rest: bytes = b""

    def go_on(self) -> bool:
        """Copy what is there. Return whether more may come."""
        piece = os.read(self.source, READ_BYTES)
        output.write(self.target, self._lines(piece) if self.prefix else piece)
        return bool(piece)

    def _lines(self, piece: bytes) -> bytes:
        """Return the lines that are whole with a piece; at the end also one that is not."""
        *lines, self.rest = (self.rest + piece).split(b"\n")
        if not piece and self.rest:
            lines.append(self.rest)
        return b"".join(self.prefix + line + b"\n" for line in lines)


def show(commands: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Run a command for each name at the same time, and print what they write as it comes.

    Of one command as it is, of several each line after its name. Returns the exit codes, all 0 when our reader has
    left, as `| head` does. All commands end with this function, however that ends. Raises CommandError when the output
    cannot be written.
    """
    with ExitStack() as stack:
        processes = {name: stack.enter_context(_running(argv)) for name, argv in commands.items()}
        prefixes = {name: f"{name}: ".encode() if len(commands) > 1 else b"" for name in commands}
        try:
            copy([one for name, process in processes.items() for one in copies(process, prefixes[name])])
        except BrokenPipeError:
            return dict.fromkeys(processes, 0)
        return {name: process.wait() for name, process in processes.items()}


def _running(argv: Sequence[str]) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return stopping.running(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def copies(process: subprocess.Popen[bytes], prefix: bytes = b"") -> list[Copy]:
    """Return what is to be copied of a process: what it writes to pipes."""
    pairs = ((process.stdout, output.STDOUT), (process.stderr, output.STDERR))
    return [Copy(stream.fileno(), target, prefix) for stream, target in pairs if stream]


def copy(copied: Iterable[Copy]) -> None:
    """Copy until all have come to their ends."""
    with selectors.DefaultSelector() as ready:
        for one in copied:
            ready.register(one.source, selectors.EVENT_READ, one)
        while ready.get_map():
            for key, _events in ready.select():
                if not key.data.go_on():
                    ready.unregister(key.fileobj)
