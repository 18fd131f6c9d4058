# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows: pure functions from module results to lines. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("PROJECT", "SERVER", "LIVE", "AGE", "SUBJECT", "PROCMON", "NOTE")
SUBJECT_WIDTH = 40
MINUTE, HOUR, DAY = 60, 3600, 86400


def age(seconds: float | None) -> str:
    """Say a span of `seconds` in the largest unit that fits it, such as `3h`; `-` for none."""
    if seconds is None:
        return "-"
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align `rows` in columns that are two blanks apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def supervisor(procmon: Mapping[str, Any] | None) -> str:
    """Say in a few words how procmon is: `serving 2/2`, `not running`, or `-` where a project has none."""
    if procmon is None:
        return "-"
    workers = procmon.get("workers") or []
    active = sum(worker.get("state") == "active" for worker in workers)
    return f"{procmon.get('state', 'unknown')} {active}/{len(workers)}"


def status_row(host: str, result: Mapping[str, Any]) -> list[str]:
    """Make the row of `host` (`project@server`) from its result of `releases_info`."""
    project, _at, server = host.partition("@")
    # `failed` is no help: status goes on after a failure, and Ansible then says that there was none.
    if result.get("unreachable") or "commit" not in result:
        return [project, server, "?", "-", "", "?", first_line(result.get("msg"))]
    subject = str(result.get("subject") or "")
    return [
        project,
        server,
        str(result.get("commit") or "-")[:12],
        age(result.get("age")),
        subject if len(subject) <= SUBJECT_WIDTH else subject[: SUBJECT_WIDTH - 1] + "…",
        supervisor(result.get("procmon")),
        "; ".join(result.get("notes") or []),
    ]


def first_line(text: object) -> str:
    """Return the first line of `text`, empty for none."""
    return (str(text or "").splitlines() or [""])[0]


def status_table(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Make the screen of `status` from results by host: a head and one row for each project on each server."""
    return table([HEAD, *(status_row(host, results[host]) for host in sorted(results))])


def rollout_row(host: str, result: Mapping[str, Any]) -> list[str]:
    """Make the row of `host` from its last result of `releases`, which is empty where it was not reached."""
    before, wanted = (str(result.get(key) or "")[:12] for key in ("previous_commit", "commit"))
    if result.get("unreachable"):
        return [host, "not known", "cannot be reached"]
    if not result:
        return [host, "what it did", "not reached"]
    # One that has failed before it tried anything has no outcome of its own.
    outcome = "failed" if result.get("failed") and result.get("outcome") == "unchanged" else result.get("outcome")
    if outcome == "broken":
        return [host, "not known", "failed, and what was live could not be put back"]
    if outcome == "live":
        return [host, wanted, "went live"]
    if outcome == "unchanged" and not result.get("changed"):
        return [host, wanted, "was live already"]
    notes = {
        "put_back": f"{wanted} failed, put back",
        "prepared": f"{wanted} is prepared, not reached",
        "unchanged": "not reached",  # a preview, which said that it would change
    }
    return [host, before or "nothing", notes.get(str(outcome), "failed, nothing was changed")]


def rollout_table(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Make the screen of a rollout that was stopped: what each host runs now, in the rollout's order."""
    return table([("SERVER", "RUNS", "NOTE"), *(rollout_row(host, result) for host, result in results.items())])
