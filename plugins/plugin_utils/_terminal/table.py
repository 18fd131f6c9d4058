# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several deploys side by side: a row for each server as it ends, and for those under way. Pure.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.onetouch.deploy.plugins.plugin_utils._rollout import UNREACHABLE, succeeded
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import rollout_row

from .deploy import Deploy, address
from .failure import failure_lines, message_of
from .look import Look, in_seconds
from .text import clean, cut, pad

RUNS_CELLS, NOTE_CELLS = 12, 16
# As long as a slow login takes. What a server does later on is not known unless it has been followed.
STARTING_SECONDS = 5.0


@dataclass
class Row:
    """One server: what is known of its deploy, and since when it is under way, if it is."""

    host: str
    deploy: Deploy
    since: float | None = None
    result: Mapping[str, Any] | None = None
    is_shown: bool = False


@dataclass
class Table:
    """The servers of a play, in its order."""

    look: Look
    rows: dict[str, Row] = field(default_factory=dict)
    _shown: list[list[str]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The width of the column with the names."""
        return max([0, *(len(clean(host)) for host in self.rows)])

    def end(self, host: str, result: Mapping[str, Any], now: float) -> list[str]:
        """Return the row of a server that has ended, with the reason if it failed."""
        row = self.rows[host]
        seconds = now - row.since if row.since is not None else None
        row.result, row.is_shown, row.since = result, True, None
        good = succeeded(result)
        mark = self.look.mark("ok" if good else "waiting" if result.get("outcome") == "not_reached" else "failed")
        lines = [f"{mark} {self._text(row, result, seconds)}".rstrip()]
        return lines + (self._reason(host, result) if result.get("failed") else [])

    def _reason(self, host: str, result: Mapping[str, Any]) -> list[str]:
        """Return why a server failed. Projects of a server that cannot be reached share their reason."""
        if result.get("outcome") != UNREACHABLE:
            return failure_lines(self.look, result, indent="    ")
        # The row has both.
        msg = message_of(result).removeprefix(f"{host} cannot be reached: ")
        lines = failure_lines(self.look, {**result, "msg": msg}, indent="    ")
        is_new, self._shown = lines not in self._shown, [*self._shown, lines]
        return lines if is_new else []

    def live_lines(self, now: float) -> list[str]:
        """Return rows for what has not ended; where the screen has no room for all, what is under way comes first."""
        ordered = [row for row in self.rows.values() if not row.is_shown]
        room = self.look.rows - 2
        if len(ordered) > room:
            ordered.sort(key=lambda row: row.since is None)
        lines = [self._live_line(row, now) for row in ordered[:room]]
        more = len(ordered) - room
        return [*lines, self.look.paint(f"  and {more} more", "dim")] if more > 0 else lines

    def last_line(self, seconds: float, done: str = "deployed") -> str:
        """Return how many servers went well, or of how many it is not `done`."""
        results = [row.result or {} for row in self.rows.values()]
        bad, took = sum(not succeeded(result) for result in results), f", {in_seconds(seconds)}"
        if bad:
            of = f"{len(results)} servers" if len(self._names(0)) == 1 else f"{len(results)}"
            return f"{self.look.mark('failed')} {bad} of {of} not {done}{took}"
        addresses = {address(result) for result in results}
        where = addresses.pop() if len(addresses) == 1 else ""
        return f"{self.look.mark('ok')} {self._count()}{took}{where}"

    def _count(self) -> str:
        """Return how many projects and servers there are; one project is not counted."""
        projects, servers = len(self._names(0)), len(self._names(2))
        on = f"{servers} server{'' if servers == 1 else 's'}"
        return on if projects == 1 else f"{projects} projects on {on}"

    def _names(self, part: int) -> set[str]:
        return {host.partition("@")[part] for host in self.rows}

    def _text(self, row: Row, result: Mapping[str, Any], seconds: float | None) -> str:
        _host, runs, note = rollout_row(row.host, result)
        time = in_seconds(seconds) if seconds is not None else ""
        text = f"{pad(clean(row.host), self.width)}  {pad(runs, RUNS_CELLS)}  {pad(note, NOTE_CELLS)}  {time:>7}"
        subject = clean((result.get("commits") or [{}])[0].get("subject", "")) if succeeded(result) else ""
        return cut(f"{text}  {subject}".rstrip(), self.look.columns - 2)

    def _live_line(self, row: Row, now: float) -> str:
        name = pad(clean(row.host), self.width)
        if row.since is None:
            return f"{self.look.mark('waiting')} {cut(f'{name}  waiting', self.look.columns - 2)}"
        spent = now - row.since
        doing = row.deploy.doing() or ("starting" if spent < STARTING_SECONDS else "under way")
        text = cut(f"{name}  {pad(doing, RUNS_CELLS)}  {int(spent)} s", self.look.columns - 2)
        return f"{self.look.spinner(now)} {text}"


def servers_text(hosts: Sequence[str]) -> str:
    """Return which projects go to how many servers, for the head line."""
    projects = [*dict.fromkeys(clean(host.partition("@")[0]) for host in hosts)]
    servers = {host.partition("@")[2] for host in hosts}
    return f"{', '.join(projects)} on {len(servers)} server{'' if len(servers) == 1 else 's'}"
