# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the cells of a terminal: what it is wide, cut to a width, wrapped. Pure. Private to this collection."""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.printable import one_line

# Longer than any line that a person reads.
MAX_CHARACTERS = 20000
TAB_CELLS = 8
HANGING = "    "
QUOTED = re.compile("`[^`]*`")
# In place of a blank that is not to be broken at: no text that is shown has this character.
KEPT = "\0"


def clean(text: object) -> str:
    """Return a text as one line that does nothing to a terminal."""
    return one_line(str(text).expandtabs(TAB_CELLS), MAX_CHARACTERS)


def clean_lines(text: str) -> list[str]:
    """Return the lines of a text, each `clean`; of a line that a program has written over, the last state."""
    return [clean(line.rstrip("\r").rpartition("\r")[2]) for line in text.rstrip("\n").split("\n")] if text else []


def cells(text: str) -> int:
    """Return how many cells a text takes: two for wide characters, none for combining ones."""
    return sum(map(_cells, text))


def cut(text: str, width: int) -> str:
    """Return as much of a text as fits, with … where it was cut."""
    return text if cells(text) <= width else _head(text, max(width - 1, 0)) + "…"


def pad(text: str, width: int) -> str:
    """Return a text filled up with blanks."""
    return text + " " * (width - cells(text))


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines that fit, broken between words.

    What is longer stays one word, and so does a command in backticks: both are copied. From the second line on, lines
    begin with `indent`.
    """
    lines = [""]
    for word in _words(text):
        longer = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        lines[-1:] = [longer] if cells(longer) <= width else [*filter(str.strip, lines[-1:]), indent + word]
    return lines


def _words(text: str) -> list[str]:
    """Return the words of a text; a command in backticks is one, where all backticks have a partner."""
    if text.count("`") % 2:
        return text.split(" ")
    kept = QUOTED.sub(lambda quoted: quoted[0].replace(" ", KEPT), text)
    return [word.replace(KEPT, " ") for word in kept.split(" ")]


def hang(text: str, width: int) -> list[str]:
    """Return a text in lines that fit, with its own indentation, and more of it from the second line on."""
    if cells(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    first, *more = wrap(text.lstrip(" "), width - len(indent), HANGING)
    return [indent + line for line in (first.lstrip(" "), *more)]


def _head(text: str, width: int) -> str:
    return text[: sum(used <= width for used in accumulate(map(_cells, text)))]


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
