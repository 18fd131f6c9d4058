# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of `status`: a row per project and server, and below it what a person should know. Pure.

A row is as wide as the screen: the subject is cut first, then columns are left out, the least important one first. In
a pipe there is no limit. Private to this collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._host_names import together
from ._terminal.text import cells as cells_of
from ._terminal.text import clean, cut, hang

Answer = Mapping[str, Any]
COMMIT_CHARACTERS = 12
SUBJECT_CHARACTERS = 60
LEAST_SUBJECT_CHARACTERS = 12
# What a subject needs to be read: columns that say less than it are left out for that.
READABLE_SUBJECT_CHARACTERS = 30
LESS_THAN_SUBJECT = 4
GAP = "  "
LEAVING = ("draining", "dying")
LIVE_OUTCOMES = ("live", "recovered")
UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (0, "s"))
MIB = 1 << 20


@dataclass(frozen=True)
class Column:
    """One column. Those with the highest `drop` are left out first, those with 0 never."""

    head: str
    cell: Callable[[Answer], str]
    drop: int = 0
    right: bool = False

    def shows(self, answer: Answer) -> bool:
        """Return whether there is something to show of an answer."""
        return is_answer(answer) and bool(self.cell(answer))


def span(seconds: object) -> str:
    """Return a time in the largest unit that fits, such as `3h`; empty when it is not known."""
    if not isinstance(seconds, (int, float)):
        return ""
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size or not size)
    return f"{int(max(0, seconds) // (size or 1))}{unit}"


def _commit(answer: Answer) -> str:
    return str(answer.get("commit") or "-")[:COMMIT_CHARACTERS]


def _by(answer: Answer) -> str:
    """Return who has made the live commit live, without their machine."""
    for entry in reversed(answer.get("journal") or []):
        if entry.get("outcome") in LIVE_OUTCOMES:
            return clean(str(entry.get("by") or "").partition("@")[0]) if _is_live(answer, entry) else ""
    return ""


def _is_live(answer: Answer, entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("commit")) and entry.get("commit") == answer.get("commit")


def _behind(answer: Answer) -> str:
    behind = answer.get("behind")
    return str(behind) if behind else ""


def _procmon(answer: Answer) -> Mapping[str, Any]:
    return answer.get("procmon") or {}


def _workers(answer: Answer) -> str:
    """Return the workers that serve, of how many; the state of a procmon that serves nothing."""
    status = _procmon(answer)
    if not status:
        return "-"
    if status.get("state") not in {"serving", "reloading"}:
        return str(status.get("state", "unknown"))
    states = [worker.get("state") for worker in status.get("workers") or []]
    return f"{states.count('active')}/{sum(state not in LEAVING for state in states)}"


def _sum(key: str) -> Callable[[Answer], int]:
    return lambda answer: sum(worker.get(key) or 0 for worker in _procmon(answer).get("workers") or [])


def _requests(answer: Answer) -> str:
    return str(_sum("requests")(answer)) if _procmon(answer).get("workers") else ""


def _memory(answer: Answer) -> str:
    rss = _sum("rss_bytes")(answer)
    return f"{rss // MIB}M" if rss else ""


def _heartbeat(answer: Answer) -> str:
    """Return the status that the app has answered last."""
    heartbeat = _procmon(answer).get("heartbeat") or {}
    failures = heartbeat.get("failures") or 0
    status = str(heartbeat.get("status") or "")
    return f"{status or 'none'}, {failures} failed" if failures else status


def _reload(answer: Answer) -> str:
    """Return how the last reload ended, and its seconds."""
    restart = _procmon(answer).get("restart") or {}
    result = restart.get("result")
    return f"{restart.get('seconds') or 0:.1f}s" if result == "ok" else str(result or "")


def _subject(answer: Answer) -> str:
    return clean(str(answer.get("subject") or ""))


PROJECT, SERVER = Column("PROJECT", lambda _answer: ""), Column("SERVER", lambda _answer: "")
COLUMNS: Sequence[Column] = (
    Column("LIVE", _commit),
    Column("SINCE", lambda answer: span(answer.get("live_seconds")), right=True),
    Column("BY", _by, drop=2),
    Column("BEHIND", _behind, right=True, drop=1),
    Column("WORKERS", _workers),
    Column("REQUESTS", _requests, drop=5, right=True),
    Column("MEMORY", _memory, drop=4, right=True),
    Column("BEAT", _heartbeat, drop=3),
    Column("RELOAD", _reload, drop=6),
)


def status_lines(results: Mapping[str, Answer], width: int | None = None) -> list[str]:
    """Return the lines of `status` from results of `releases_info` by host (`project@server`).

    `width` is that of the screen, None for a pipe.
    """
    hosts = sorted(results)
    names = short_servers([host.partition("@")[2] for host in hosts])
    rows = table(
        [(host.partition("@")[0], name, results[host]) for host, name in zip(hosts, names, strict=True)], width
    )
    lines = rows[:1]
    for host, row in zip(hosts, rows[1:], strict=True):
        notes = [*(notes_of(results[host]) if is_answer(results[host]) else []), *_differences(host, results)]
        lines += [row, *(f"    {cut(note, width - 4) if width else note}" for note in notes)]
    return [*lines, *_silent_lines({host: results[host] for host in hosts}, width)]


def _silent_lines(results: Mapping[str, Answer], width: int | None) -> list[str]:
    """Return, below the table, why hosts have not answered: what several share, such as their server, once."""
    reasons: dict[str, list[str]] = {}
    for host, answer in results.items():
        if not is_answer(answer):
            reasons.setdefault(notes_of(answer)[0], []).append(host)
    texts = [f"{together(hosts)}: {reason}" for reason, hosts in reasons.items()]
    return [line for text in texts for line in (hang(text, width) if width else [text])]


def short_servers(servers: Sequence[str]) -> list[str]:
    """Return the names of servers without the domain that all of them share."""
    domains = {server.partition(".")[2] for server in servers}
    is_shared = len(domains) == 1 and not any(server.replace(".", "").isdigit() for server in servers)
    return [server.partition(".")[0] if is_shared else server for server in servers]


def table(rows: Sequence[tuple[str, str, Answer]], width: int | None) -> list[str]:
    """Return the head and a line per row, as wide as the screen at most."""
    answers = [answer for _project, _server, answer in rows]
    columns = [PROJECT, SERVER, *(column for column in COLUMNS if any(map(column.shows, answers)))]
    cells = [[column.head for column in columns], *(_cells(row, columns) for row in rows)]
    subjects = ["SUBJECT", *(_subject(answer) if is_answer(answer) else "" for answer in answers)]
    columns, cells = _fit(columns, cells, width, max(map(cells_of, subjects)))
    fixed = [_line(row, columns, _widths(cells)) for row in cells]
    left = None if width is None else width - max(map(cells_of, fixed)) - len(GAP)
    if left is not None and left < LEAST_SUBJECT_CHARACTERS:
        return [line.rstrip() for line in fixed]
    shown = [cut(subject, SUBJECT_CHARACTERS if left is None else left) for subject in subjects]
    return [f"{line}{GAP}{subject}".rstrip() for line, subject in zip(fixed, shown, strict=True)]


def _cells(row: tuple[str, str, Answer], columns: Sequence[Column]) -> list[str]:
    project, server, answer = row
    rest = [column.cell(answer) if is_answer(answer) else "?" for column in columns[2:]]
    return [project, server, *rest]


def _fit(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int | None, subject: int
) -> tuple[list[Column], list[list[str]]]:
    """Leave out columns until a row fits, with some room for a subject that is `subject` wide."""
    kept = list(range(len(columns)))
    while width is not None:
        least = max(kept, key=lambda index: columns[index].drop)
        readable = min(subject, READABLE_SUBJECT_CHARACTERS)
        room = readable if columns[least].drop >= LESS_THAN_SUBJECT else LEAST_SUBJECT_CHARACTERS
        if not columns[least].drop or _total(cells, kept) + room <= width:
            break
        kept.remove(least)
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in cells]


def _total(cells: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    widths = _widths(cells)
    return sum(widths[index] + len(GAP) for index in kept)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cells_of, column)) for column in zip(*cells, strict=True)]


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        blanks = " " * (width - cells_of(cell))
        padded.append(blanks + cell if column.right else cell + blanks)
    return GAP.join(padded)


def is_answer(answer: Answer) -> bool:
    """Return whether the server has answered: an answer has a commit, which may be None."""
    return not answer.get("unreachable") and "commit" in answer


def notes_of(answer: Answer) -> list[str]:
    """Return what a person should know about a host, one sentence per line; how far behind it is has a column."""
    if not is_answer(answer):
        return [clean((str(answer.get("msg") or "no answer").splitlines() or [""])[0])]
    behind = f"{answer.get('behind')} behind"
    return [*(clean(note) for note in answer.get("notes") or [] if note != behind), *_unit(answer)]


def _unit(answer: Answer) -> list[str]:
    """Return that nothing serves what is live."""
    state = _procmon(answer).get("state")
    down = state == "not running" and answer.get("commit")
    return ["procmon is not running; doctor shows why"] if down else []


def _differences(host: str, results: Mapping[str, Answer]) -> list[str]:
    """Return, below the last server of a project, that its servers have different commits live."""
    project = host.partition("@")[0]
    hosts = [name for name in sorted(results) if name.partition("@")[0] == project]
    commits = {results[name]["commit"] for name in hosts if is_answer(results[name])}
    return [f"the servers of {project} have different commits live"] if len(commits) > 1 and host == hosts[-1] else []


def attention(host: str, results: Mapping[str, Answer]) -> list[str]:
    """Return why a machine that asks should be alarmed about a host: it did not answer, or something has a note.

    A run that is under way is no reason.
    """
    answer = results[host]
    found = [] if answer.get("locked_by") else notes_of(answer)
    return [*found, *_differences(host, results)]
