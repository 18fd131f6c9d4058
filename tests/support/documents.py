# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the documents: blocks of code, and the commands in those that a reader would type.

A block without a language holds commands; what a command shows stands in a block of the language `text`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r"<!-- from (?P<path>\S+) -->\n\n\Z")
COMMAND_LANGUAGES = {"", "sh", "bash"}
ENDS = {"&&", "||", ";", "|", "&"}
REDIRECTIONS = {">", ">>", "<", "2>", "<<<"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Block:
    """One block of code; `source` is the file that it is a part of, where the document names one."""

    path: Path
    line: int
    language: str
    text: str
    source: Path | None = None

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.path}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether a reader would type it."""
        return self.language in COMMAND_LANGUAGES and not self.text.startswith("#!")


@dataclass(frozen=True)
class Command:
    """One command of a block: its words, without what a shell does before it runs."""

    block: Block
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return where it is, and what it is."""
        return f"{self.block}: {shlex.join(self.words)}"


def blocks(root: Path, path: Path) -> Iterator[Block]:
    """Yield the blocks of a document."""
    text = (root / path).read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        named = SOURCE.search(text, 0, found.start())
        source = (root / path.parent / named["path"]).resolve() if named else None
        yield Block(path, text.count("\n", 0, found.start()) + 1, found["language"], found["text"], source)


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a block, one for each program that its lines run."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        for words in split(line):
            yield Command(block, words)


def split(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command in a line: without comments, redirections, assignments and `sudo`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token not in ENDS:
            words.append(token)
        elif found := tuple(run_words(words)):
            yield found
            words = []
        else:
            words = []


def run_words(words: Sequence[str]) -> Iterator[str]:
    """Yield what a program gets of the words of one command, its name first."""
    rest = iter(words)
    begun = False
    for word in rest:
        if word in REDIRECTIONS:
            next(rest, None)
        elif begun or not (ASSIGNMENT.match(word) or word == "sudo"):
            begun = True
            yield word
