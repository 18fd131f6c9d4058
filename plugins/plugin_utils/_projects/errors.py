# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of a configuration file: where each is, and the error that reports all of them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Problem:
    """One thing to correct.

    `line` counts from 1; `where` is for example "project blog, heartbeat.path", or empty for the file as a whole.
    """

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        """Format it as compilers do, so that an editor can jump to the line."""
        place = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {place}{self.message}"


class ProjectsError(Exception):
    """Raised with every problem found when a configuration cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep `problems` in the order of their lines."""
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.line))
        super().__init__("\n".join(["invalid project configuration:", *map(str, self.problems)]))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a question with the known word that is closest to `word`, or a list of all when none is close."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
