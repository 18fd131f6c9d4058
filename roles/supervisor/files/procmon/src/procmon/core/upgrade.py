# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade in place, from the request to the answer: what is to be done next, and how the last one ended."""

from __future__ import annotations

from dataclasses import dataclass

from .actions import Action, CheckUpgrade, ExecUpgrade


@dataclass
class Upgrade:
    """The newest answer, and what is under way. `number` counts the answers."""

    number: int = 0
    result: str | None = None
    error: str = ""
    requested: bool = False
    checking: bool = False
    checked: bool = False
    """The installed procmon has shown that it can read what it would take over."""

    def next(self) -> Action | None:
        """Return what to do when nothing else is under way. A new request may mean a newer program: check again."""
        if self.checking:
            return None
        if self.requested:
            self.requested, self.checked, self.checking = False, False, True
            return CheckUpgrade()
        if self.checked:
            self.checked = False
            return ExecUpgrade()
        return None

    def record_check(self, error: str) -> None:
        """Take the outcome of the check; an empty `error` means that the installed procmon can take over."""
        self.checking = False
        if error:
            self.answer("failed", error)
        else:
            self.checked = True

    def answer(self, result: str, error: str = "") -> None:
        """Remember how it ended."""
        self.number += 1
        self.result, self.error = result, error
