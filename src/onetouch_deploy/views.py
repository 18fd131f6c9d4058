# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `list`, `current`, `previous`, `history` and `config` print, made of results and sections."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import output
from .results import Result

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

COMMIT_CHARACTERS = 12
HEADS = ("WHEN", "WHERE", "WHO", "WHAT", "REF", "COMMIT")
# From here on a row has room for all.
WIDE_COLUMNS = 120
MINUTE_CHARACTERS, SHORT_CHARACTERS = 16, 7
BAR_CHARACTERS = 20
OUTCOME_STYLES = {"live": "green", "recovered": "green", "put_back": "yellow", "prepared": "dim"}
# The original's names of keys that have a dash there.
DASHED = {"forward_agent": "forward-agent", "pre_deploy": "pre-deploy", "post_deploy": "post-deploy"}


@dataclass(frozen=True)
class Attempt:
    """One line of the journal, as text; `seconds` is None where the phases have no times."""

    host: str
    time: str
    by: str
    action: str
    ref: str
    commit: str
    seconds: float | None
    outcome: str
    error: str

    def cells(self) -> list[str]:
        """Return the columns of a plain line."""
        took = "-" if self.seconds is None else f"{self.seconds:.1f} s"
        return [self.time, self.host, self.by, self.action, self.ref, self.commit, took, self.outcome, self.error]


def commits(result: Result, view: str) -> list[str]:
    """Return the commits that a view shows of one server: all of the log, the live one, or the one before."""
    log = [str(commit) for commit in result.data.get("history") or []]
    if view == "list":
        return log
    if view == "current":
        return [str(result.data["commit"])[:COMMIT_CHARACTERS]] if result.data.get("commit") else []
    return log[-2:][:1]


def commit_lines(results: Sequence[Result], view: str, lines: int | None) -> list[str]:
    """Return what a view of commits prints: with one server the commits alone, otherwise each after its server."""
    found = [(result.host, commits(result, view)) for result in results]
    found = [(host, shown[-lines:] if lines else shown) for host, shown in found]
    return [commit if len(found) == 1 else f"{host} {commit}" for host, shown in found for commit in shown]


def attempts(results: Sequence[Result], lines: int | None) -> list[Attempt]:
    """Return the journals of all servers in the order of time, the newest last."""
    every = [_attempt(result.host, entry) for result in results for entry in result.data.get("journal") or []]
    every.sort(key=lambda attempt: attempt.time)
    return every[-lines:] if lines else every


def _attempt(host: str, entry: Mapping[str, Any]) -> Attempt:
    text = {name: str(entry.get(name) or "-") for name in ("time", "by", "action", "ref", "outcome")}
    commit, error = str(entry.get("commit") or "-"), str(entry.get("error") or "")
    first = (error.splitlines() or [""])[0]
    return Attempt(host=host, commit=commit[:COMMIT_CHARACTERS], seconds=_seconds(entry), error=first, **text)


def _seconds(entry: Mapping[str, Any]) -> float | None:
    phases = entry.get("phases")
    found = [phase.get("seconds") for phase in phases if isinstance(phase, Mapping)] if isinstance(phases, list) else []
    times = [time for time in found if isinstance(time, (int, float))]
    return sum(times) if times else None


def history_lines(found: Sequence[Attempt]) -> list[str]:
    """Return one aligned line per attempt, for a pipe."""
    rows = [attempt.cells() for attempt in found]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def time_bar(seconds: float | None, longest: float) -> str:
    """Return a bar as long as the attempt took, beside the longest of all."""
    if not seconds or not longest:
        return ""
    return "█" * max(1, round(BAR_CHARACTERS * seconds / longest))


def history_table(found: Sequence[Attempt], width: int = WIDE_COLUMNS) -> Table:
    """Return the table of attempts for a terminal; where that is wide, with how long each took as a bar."""
    from rich.table import Table  # noqa: PLC0415  only drawn on a terminal
    from rich.text import Text  # noqa: PLC0415

    is_wide, several = width >= WIDE_COLUMNS, len({attempt.host for attempt in found}) > 1
    shown = {name for name in HEADS if is_wide or name != ("WHO" if several else "WHERE")}
    table = Table(box=None, pad_edge=False, header_style="bold")
    in_utc = not is_wide and all(attempt.time.endswith("Z") for attempt in found)
    for name in (name for name in HEADS if name in shown):
        # Without room for seconds there is none for the zone either.
        table.add_column("WHEN (UTC)" if in_utc and name == "WHEN" else name, no_wrap=True)
    table.add_column("TOOK", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("", no_wrap=True)
    table.add_column("ENDED")
    longest = max((attempt.seconds or 0 for attempt in found), default=0)
    for attempt in found:
        *columns, took, outcome, error = (attempt if is_wide else narrow(attempt)).cells()
        style = OUTCOME_STYLES.get(outcome, "red")
        ended = _cell(f"{outcome}: {error}" if error else outcome, style)
        drawn = [Text(time_bar(attempt.seconds, longest), style=style)] if is_wide else []
        kept = [_cell(cell) for name, cell in zip(HEADS, columns, strict=True) if name in shown]
        table.add_row(*kept, took, *drawn, ended)
    return table


def narrow(attempt: Attempt) -> Attempt:
    """Return an attempt for a terminal with little room: its time to the minute, who without a machine, short names."""
    time, who = attempt.time[:MINUTE_CHARACTERS].replace("T", " "), attempt.by.partition("@")[0]
    ref = attempt.ref if len(attempt.ref) <= COMMIT_CHARACTERS else f"{attempt.ref[: COMMIT_CHARACTERS - 1]}…"
    return replace(attempt, time=time, by=who, ref=ref, commit=attempt.commit[:SHORT_CHARACTERS])


def _cell(shown: str, style: str = "") -> Text:
    """Return a cell as text: what people wrote into a ref is no markup, and does nothing to a terminal."""
    from rich.text import Text  # noqa: PLC0415  as above

    return Text(output.printable(shown), style=style)


def print_history(found: Sequence[Attempt]) -> None:
    """Print the attempts: a table on a terminal, otherwise plain lines."""
    if not found:
        print("no attempts yet")
    elif sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415

        console = Console(highlight=False)
        console.print(history_table(found, console.width))
    else:
        print("\n".join(history_lines(found)))


def config_lines(values: Mapping[str, object]) -> list[str]:
    """Return a section in the original's form, one `key value` per line."""
    return [f"{DASHED.get(key, key)} {text(value)}" for key, value in flat(values).items()]


def flat(values: Mapping[str, object]) -> dict[str, object]:
    """Return the values with the keys of tables written with a point: `heartbeat.path`."""
    found: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            found[key] = value
    return found


def value_of(values: Mapping[str, object], key: str) -> object:
    """Return the value of a key, written as here or as in the original; None when it is not set."""
    plain = {dashed: name for name, dashed in DASHED.items()}.get(key, key)
    return flat(values).get(plain, values.get(plain))


def value_lines(value: object) -> list[str]:
    """Return a value as `config` prints it alone: a table in one line per key."""
    return [f"{key}={text(inner)}" for key, inner in value.items()] if isinstance(value, Mapping) else [text(value)]


def text(value: object) -> str:
    """Return a value as deploy.conf has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text(inner)}" for key, inner in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
