# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications to systemd; without NOTIFY_SOCKET none are sent."""

from __future__ import annotations

import socket
from collections.abc import Mapping

UP = frozenset({"waiting", "serving", "failed"})


def state_message(before: str, after: str, monotonic_usec: int, status: str) -> str:
    """Return the notification of a change of the master's state."""
    lines = [f"STATUS={status}"]
    if after == "stopping":
        lines.append("STOPPING=1")
    elif after == "reloading":
        lines += ["RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}"]
    elif after in UP and (before == "reloading" or before not in UP):
        # Waiting for a first release counts as ready: otherwise systemd would time the start out.
        lines.append("READY=1")
    return "\n".join(lines)


class Notifier:
    """systemd's notification socket. A message that cannot be delivered is lost, and counted."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        self._watchdog_usec = int(environment.get("WATCHDOG_USEC") or 0)
        self.lost = 0

    @property
    def watchdog_seconds(self) -> float | None:
        """How often to send WATCHDOG=1: half of what systemd asks for; None when it does not."""
        return self._watchdog_usec / 2e6 if self._path and self._watchdog_usec else None

    def send(self, message: str) -> None:
        """Deliver `message` without waiting."""
        if not self._path:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
                # A release's name may be bytes that are not text.
                channel.sendto(message.encode(errors="backslashreplace"), self._path)
        except OSError:
            self.lost += 1
