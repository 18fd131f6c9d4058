"""A terminal: a program runs on a pty, and a small model of a screen shows what a person sees."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# In the list of tcgetattr.
LOCAL_FLAGS = 3
TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(.)", re.DOTALL)


class Screen:
    """What a terminal of a size shows, by the few sequences that are expected; others fail."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.cursor_visible = True
        self._rest = ""

    def write(self, text: str) -> None:
        """Act on what a program writes."""
        text = self._rest + text
        # A sequence may be cut in two.
        self._rest = "".join(re.findall(r"\x1b(?:\[[\d;?]*)?\Z", text))
        for argument, command, character in TOKEN.findall(text.removesuffix(self._rest)):
            if command:
                self._control(argument, command)
            else:
                self._put(character)

    def text(self) -> str:
        """Return the lines that are visible."""
        return "\n".join("".join(line).rstrip() for line in self.lines[-self.rows :]).rstrip()

    def history(self) -> str:
        """Return all lines, also those that have left the screen."""
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def _control(self, argument: str, command: str) -> None:
        if command == "A":
            top = max(len(self.lines) - self.rows, 0)
            self.row = max(self.row - int(argument or 1), top)
        elif command == "C":
            self.column += int(argument or 1)
        elif command in {"J", "K"} and argument in {"", "0"}:
            self._erase(is_below=command == "J")
        elif command in "hl" and argument == "?25":
            self.cursor_visible = command == "h"
        else:
            assert command == "m", f"unexpected control sequence {argument}{command}"

    def _erase(self, *, is_below: bool) -> None:
        """Erase the rest of the line, and the lines below."""
        top = max(len(self.lines) - self.rows, 0)
        assert not is_below or (self.row, self.column) != (top, 0), "tmux moves a screen that is erased to its history"
        self.lines[self.row : None if is_below else self.row + 1] = [self.lines[self.row][: self.column]]

    def _put(self, character: str) -> None:
        if character == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append([])
        elif character == "\r":
            self.column = 0
        else:
            assert character.isprintable(), f"unexpected {character!r}"
            self._print(character)

    def _print(self, character: str) -> None:
        width = 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
        if self.column + width > self.columns:
            self._put("\n")
            self.column = 0
        line = self.lines[self.row]
        line.extend(" " * (self.column - len(line)))
        line[self.column : self.column + width] = [character, *[""] * (width - 1)]
        self.column += width


class Terminal:
    """A program on a terminal of its own."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, environment: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self._main, program = pty.openpty()
        fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # Otherwise Ctrl-C drops what has not been read yet, perhaps the first half of a sequence.
        settings = termios.tcgetattr(program)
        settings[LOCAL_FLAGS] |= termios.NOFLSH
        termios.tcsetattr(program, termios.TCSANOW, settings)
        self.screen = Screen(columns, rows)
        self.raw = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**environment, "TERM": environment.get("TERM", "xterm-256color")},
            stdin=program,
            stdout=program,
            stderr=program,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  it takes no lock
        )
        os.close(program)

    def type(self, text: str) -> None:
        """Type on its keyboard."""
        os.write(self._main, text.encode())

    def settings(self) -> list[object]:
        """Return what `stty -a` shows, such as whether it echoes."""
        return termios.tcgetattr(self._main)

    def until(self, condition: Callable[[str], bool], what: str, seconds: float = 60.0) -> str:
        """Return the screen as soon as it is as expected."""
        deadline = time.monotonic() + seconds
        while not condition(self.screen.text()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.screen.text()}"
            assert self._read(0.05), f"it ended before: {what}\n{self.screen.text()}"
        return self.screen.text()

    def end(self, seconds: float = 60.0) -> int:
        """Read until it has ended, and return its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(0.05):
            assert time.monotonic() < deadline, f"it has not ended within {seconds} s\n{self.screen.text()}"
        return self.process.wait(seconds)

    def close(self) -> None:
        """Close it, with what still runs on it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)

    def _read(self, seconds: float) -> bool:
        """Read what is there. Return whether more may come."""
        if not select.select([self._main], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._main, 65536)
        except OSError:
            return False
        self.raw += data
        self.screen.write(self._decoder.decode(data))
        return bool(data)
