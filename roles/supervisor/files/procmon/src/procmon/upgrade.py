# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade in place, from the wish to the answer: what is to be done next, and how the last one ended."""

from __future__ import annotations

from dataclasses import dataclass

from .actions import Action, Preflight, Replace


@dataclass
class Upgrade:
    """The newest answer, and what is under way. `number` counts the answers."""

    number: int = 0
    result: str | None = None
    error: str = ""
    asked: bool = False
    checking: bool = False
    proven: bool = False
    """The successor has shown that it can read what it would take over."""

    def next(self) -> Action | None:
        """Say what to do now that nothing else is under way. Whoever asks again may mean a newer program."""
        if self.checking:
            return None
        if self.asked:
            self.asked, self.proven, self.checking = False, False, True
            return Preflight()
        if self.proven:
            self.proven = False
            return Replace()
        return None

    def judge(self, error: str) -> None:
        """Take the preflight's outcome; an empty `error` means that the successor is fit."""
        self.checking = False
        if error:
            self.answer("failed", error)
        else:
            self.proven = True

    def answer(self, result: str, error: str = "") -> None:
        """Remember how it ended."""
        self.number += 1
        self.result, self.error = result, error
