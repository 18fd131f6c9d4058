# SPDX-License-Identifier: GPL-3.0-or-later
"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIRST_SECONDS = 0.5
MAX_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
JITTER_SHARE = 0.1


@dataclass
class Backoff:
    """The first failure is retried at once, the following after 0.5 s, 1 s, 2 s ... 30 s."""

    failures: int = 0

    def reset(self) -> None:
        """Forget the failures."""
        self.failures = 0

    def delay(self, lived_seconds: float, jitter: Callable[[], float]) -> float:
        """Count one failure of something that had worked for `lived_seconds`; return the seconds to wait.

        `jitter` returns numbers from -1 to 1, so that workers that died together do not come back in step.
        """
        if lived_seconds >= HEALTHY_SECONDS:
            self.reset()
        self.failures += 1
        if self.failures == 1:
            return 0.0
        # The exponent is bounded because a crash loop of weeks would overflow a float.
        wait = FIRST_SECONDS * 2.0 ** min(self.failures - 2, 10)
        return min(MAX_SECONDS, min(MAX_SECONDS, wait) * (1 + JITTER_SHARE * jitter()))
