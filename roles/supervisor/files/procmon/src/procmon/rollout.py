# SPDX-License-Identifier: GPL-3.0-or-later
"""A new generation on its way to the users: what it has, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass, field

from .lifecycle import ACCEPTS, BOOTING, Generation, State, Worker

RETRIES = 2


@dataclass
class Rollout:
    """One reload, or the first boot. Times are seconds on the core's clock."""

    reason: str
    began: float
    one_by_one: bool
    generation: Generation | None = None
    """None until the directory has been resolved."""

    boot_by: float = 0.0
    workers: dict[int, Worker] = field(default_factory=dict)
    """By slot: the new workers that do not hold their slot yet."""

    done: set[int] = field(default_factory=set)
    """Slots that were handed over already; only when `one_by_one`."""

    proven: bool = False
    """The first worker, the canary, has answered: this release can work."""

    retries: int = RETRIES
    started_over: bool = False

    def may_start_over(self) -> bool:
        """Say whether newer code can still take this one's place without any user noticing."""
        served = self.done or any(worker.state in ACCEPTS for worker in self.workers.values())
        return not served and not self.started_over

    def booting(self) -> bool:
        """Say whether one of its workers is not ready yet."""
        return any(worker.state in BOOTING for worker in self.workers.values())

    def ready(self) -> list[Worker]:
        """The workers that wait for the word to accept."""
        return [worker for worker in self.workers.values() if worker.state is State.READY]

    def lacking(self, slots: int) -> list[int]:
        """The slots that are to be filled next: one when `one_by_one`, or as long as the canary has not answered."""
        missing = [slot for slot in range(slots) if slot not in self.workers and slot not in self.done]
        alone = self.one_by_one or not self.proven
        return missing[: 0 if self.workers and alone else 1] if alone else missing

    def complete(self, slots: int) -> bool:
        """Say whether each slot has a new worker that accepts."""
        active = {slot for slot, worker in self.workers.items() if worker.state is State.ACTIVE}
        return len(active | self.done) == slots
