# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run has ended, for each project and server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import CommandError

# How a server may end without a failure. In check mode an "unchanged" one may have `changed`.
GOOD = frozenset({"live", "unchanged", "restarted", "no_app", "ok"})


@dataclass(frozen=True)
class Phase:
    """A step of a deploy, with what is worth knowing of some as `note`."""

    name: str
    seconds: float
    note: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Commit:
    """A commit, and the first line of its message."""

    sha: str
    subject: str


@dataclass(frozen=True)
class Failure:
    """Why a server failed.

    `message` is all that was reported. `reason` is one line, what failed and what to do, `tail` the end of what a hook
    or a worker wrote, `now` what is live after it, where that is known.
    """

    message: str
    reason: str
    tail: str = ""
    now: str = ""


@dataclass(frozen=True)
class HostResult:
    """How a run has ended for one project on one server.

    `outcome` is a word:

    - live, unchanged: after a deploy or a revert
    - restarted, no_app: after a restart
    - ok: after any other command
    - failed: nothing live was changed
    - put_back: the release before is live again; broken: that failed too
    - not_reached: its turn did not come, because a server before it failed
    - unreachable: no login; lost: the connection broke, and what is live is not known
    - unknown: the module or Ansible was killed
    - under_way: the run was cancelled while this server worked; it comes to its own end

    `previous` is the commit that was live before, `settings` has the names of those that changed, `data` all that the
    collection's module returned.
    """

    host: str
    project: str
    server: str
    outcome: str
    changed: bool = False
    commit: str | None = None
    previous: str | None = None
    settings: tuple[str, ...] = ()
    commits: tuple[Commit, ...] = ()
    phases: tuple[Phase, ...] = ()
    warnings: tuple[str, ...] = ()
    error: Failure | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.outcome in GOOD

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each phase."""
        return {phase.name: phase.seconds for phase in self.phases}


class RunFailedError(CommandError):
    """Raised by `Outcome.check`. `outcome` has the results."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.summary(), outcome.code or 1)
        self.outcome = outcome


@dataclass(frozen=True)
class Outcome:
    """How a run has ended: Ansible's exit code, and a result for each project on each server, in Ansible's order.

    `error` is what kept the run from its servers.
    """

    command: str
    code: int
    results: tuple[HostResult, ...] = ()
    cancelled: bool = False
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and the run came to its end."""
        return self.code == 0 and not self.cancelled and all(result.ok for result in self.results)

    @property
    def under_way(self) -> tuple[HostResult, ...]:
        """The servers that worked when the run was cancelled."""
        return tuple(result for result in self.results if result.outcome == "under_way")

    def check(self) -> Outcome:
        """Return this outcome if it is ok. Raises RunFailedError otherwise."""
        if self.ok:
            return self
        raise RunFailedError(self)

    def summary(self) -> str:
        """Return what failed, with the reason of each server."""
        failed = [f"{one.host}: {one.error.reason if one.error else one.outcome}" for one in self.results if not one.ok]
        head = (
            f"{self.command} was cancelled." if self.cancelled else f"{self.command} failed with exit code {self.code}."
        )
        return " ".join([head, *filter(None, [self.error]), *failed])
