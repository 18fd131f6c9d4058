# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of one project wait for each other, by the rules of `_rollout`. Private to this collection.

Each reports that it has begun a step, and how it has ended it: also when it could not even read its variables. What has
begun ends, or Ansible does. What a server waits for was started before it; where it does not begin all the same, as in
a play that leaves servers out, that is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail

from . import _rollout
from ._board import Board

# Between the starts of two processes by Ansible, on a machine with much to do.
BEGIN_SECONDS = 60.0
# What the other servers, and the report, need of a result.
KEYS = ("failed", "changed", "outcome", "commit", "previous_commit", "msg")


class Turns:
    """One server among those of its project."""

    def __init__(self, board: Board, host: str) -> None:
        self._board, self._host = board, host

    def take(self, step: str, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of `action`, after the other servers know it: also when it is an error."""
        self._board.post(_begun(step, self._host), {})
        result: Mapping[str, Any] = {"failed": True, "outcome": "failed"}
        try:
            result = action()
        finally:
            self._board.post(_key(step, self._host), {key: result[key] for key in KEYS if key in result})
        return dict(result)

    def results(self, step: str, hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return how `hosts` have ended a step, as soon as all have. Fails when one of them does not begin it."""
        begun = {_begun(step, host): host for host in hosts}
        missing = self._board.missing(begun, BEGIN_SECONDS)
        if missing:
            raise _not_begun(step, begun[missing])
        hosts = begun.values()
        keys = {_key(step, host): host for host in hosts}
        return {keys[key]: result for key, result in self._board.wait(keys).items()}

    def stopped_by(self, step: str, servers: Sequence[str], at_once: int) -> str | None:
        """Wait for the turn of this server among `servers`. Return the one whose failure stops it, if one does."""
        before = _rollout.hosts_before(self._host, servers, at_once)
        return _rollout.first_failed(before, self.results(step, before))


def _key(step: str, host: str) -> str:
    return f"{step} {host}"


def _begun(step: str, host: str) -> str:
    return f"begun {_key(step, host)}"


def _not_begun(step: str, host: str) -> AnsibleActionFail:
    found = f"{host} has not begun to {step}, and this server comes after it."
    remedy = "Run each step on all servers of the project in one play, with strategy linear and without serial."
    return AnsibleActionFail(f"{found} {remedy}")  # type: ignore[no-untyped-call]  # Ansible ships few types
