# SPDX-License-Identifier: GPL-3.0-or-later
"""When to ask the app how it is, and when a bad answer is worth a reload."""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import HeartbeatConfig
from .events import Answer

LONGEST_REST_SECONDS = 300.0


@dataclass
class Heart:
    """The heartbeat's memory. Times are seconds on the core's clock."""

    config: HeartbeatConfig
    last: Answer | None = None
    failures: int = 0
    reloads: int = 0
    next_at: float | None = None
    asked: bool = field(default=False, repr=False)
    streak: int = 0
    """Reloads asked for since the app was last well."""

    quiet_until: float = 0.0

    def rest(self, now: float) -> None:
        """A reload has just ended: give the workers time before they are judged.

        A reload that does not help is repeated ever more seldom: with a database down, reloading cures nothing.
        """
        base = self.config.guard_seconds
        if self.streak > 1:
            base = min(LONGEST_REST_SECONDS, max(base, 1.0) * 2.0 ** min(self.streak - 1, 20))
        self.quiet_until = now + max(base, self.config.guard_seconds)
        self.next_at = now + self.config.interval_seconds if self.config.interval_seconds else None

    def due(self, now: float) -> bool:
        """Say whether to ask now, and remember that it was asked: two questions never overlap."""
        if self.asked or self.next_at is None or now < self.next_at:
            return False
        self.asked = True
        self.next_at = now + self.config.interval_seconds
        return True

    def over(self) -> None:
        """The question was answered, or nobody needs its answer any more."""
        self.asked = False

    def judge(self, answer: Answer, now: float) -> str:
        """Take an answer; return why to reload, or an empty text."""
        self.last = answer
        if self.well(answer):
            self.failures = self.streak = 0
            return ""
        self.failures += 1
        if now < self.quiet_until:
            return ""
        self.reloads += 1
        self.streak += 1
        return f"heartbeat: {describe(answer)}"

    def well(self, answer: Answer) -> bool:
        """Say whether the app is well."""
        return answer.status in self.config.accept


def describe(answer: Answer) -> str:
    """Put an answer into words."""
    return answer.error or f"the app answered {answer.status}"
