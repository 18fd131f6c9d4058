# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about whether something is well: the app by its heartbeat, a worker by its event loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import HeartbeatConfig
from .events import ProbeResult
from .worker import Worker

MAX_GRACE_SECONDS = 300.0
NOT_READY = 503
"""By this a new app asks for patience: its probe is repeated until boot_timeout is over."""


@dataclass
class HealthCheck:
    """When to send a heartbeat, and when its result is worth a reload. Times are seconds on the core's clock."""

    config: HeartbeatConfig
    last: ProbeResult | None = None
    failures: int = 0
    reloads: int = 0
    next_at: float | None = None
    in_flight: bool = field(default=False, repr=False)
    consecutive_reloads: int = 0
    """Reloads requested since the app was last healthy."""

    grace_until: float = 0.0

    def start_grace(self, now: float) -> None:
        """Start the time after a reload in which failures do not count.

        A reload that does not help is repeated at growing intervals: with a database down, reloading cures nothing.
        """
        base = self.config.guard_seconds
        if self.consecutive_reloads > 1:
            factor = 2.0 ** min(self.consecutive_reloads - 1, 20)
            base = min(MAX_GRACE_SECONDS, max(base, 1.0) * factor)
        self.grace_until = now + max(base, self.config.guard_seconds)
        self.next_at = now + self.config.interval_seconds if self.config.interval_seconds else None

    def due(self, now: float) -> bool:
        """Return whether to send one now, and remember that it was sent: two never overlap."""
        if self.in_flight or self.next_at is None or now < self.next_at:
            return False
        self.in_flight = True
        self.next_at = now + self.config.interval_seconds
        return True

    def finished(self) -> None:
        """The heartbeat was answered, or its result is no longer wanted."""
        self.in_flight = False

    def record(self, result: ProbeResult, now: float) -> str:
        """Take a result; return why to reload, or an empty text."""
        self.last = result
        if is_healthy(result, self.config):
            self.failures = self.consecutive_reloads = 0
            return ""
        self.failures += 1
        if now < self.grace_until:
            return ""
        self.reloads += 1
        self.consecutive_reloads += 1
        return f"heartbeat: {describe(result, self.config)}"


def is_healthy(result: ProbeResult, config: HeartbeatConfig) -> bool:
    """Return whether the app is well."""
    return result.status in config.accept


def question(config: HeartbeatConfig) -> str:
    """Put what the app is asked into words."""
    return f"GET {config.path} (heartbeat.path)"


def describe(result: ProbeResult, config: HeartbeatConfig) -> str:
    """Put a bad result into words, with the keys of the configuration that decide about it."""
    if result.status is None:
        return f"{question(config)}: {result.error}"
    leads = f" to {result.location}" if result.location else ""
    accepted = ", ".join(str(status) for status in config.accept)
    return f"{question(config)}: the app answered {result.status}{leads}; heartbeat.accept is [{accepted}]"


def hung_at(worker: Worker) -> float:
    """Return when an active worker counts as hung if no tick comes before.

    Its loop may have turned for a whole tick interval after the last tick without anything new to report.
    """
    config = worker.config.worker
    return worker.last_tick + config.tick_interval_seconds + config.hang_timeout_seconds


def is_hung(worker: Worker, now: float) -> bool:
    """Return whether the worker's event loop has not turned for too long."""
    return now >= hung_at(worker)
