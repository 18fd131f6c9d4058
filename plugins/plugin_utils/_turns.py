# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of one project wait for each other, by the rules of `_rollout`. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import _rollout
from ._board import Board

# What the other servers, and the report, need of a result.
KEYS = ("failed", "changed", "outcome", "commit", "previous_commit", "msg")


class Turns:
    """One server among those of its project."""

    def __init__(self, board: Board, host: str, servers: Sequence[str]) -> None:
        self._board, self._host, self._servers = board, host, servers

    def take(self, step: str, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of `action`, after the other servers know it: also when it is an error."""
        result: Mapping[str, Any] = {"failed": True, "outcome": "failed"}
        try:
            result = action()
        finally:
            self._board.post(_key(step, self._host), {key: result[key] for key in KEYS if key in result})
        return dict(result)

    def results(self, step: str, hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return how `hosts` have ended a step, as soon as all have."""
        keys = {_key(step, host): host for host in hosts}
        return {keys[key]: result for key, result in self._board.wait(keys).items()}

    def stopped_by(self, step: str, at_once: int) -> str | None:
        """Wait for the turn of this server. Return the server whose failure stops it, if one does."""
        before = _rollout.hosts_before(self._host, self._servers, at_once)
        return _rollout.first_failed(before, self.results(step, before))


def _key(step: str, host: str) -> str:
    return f"{step} {host}"
