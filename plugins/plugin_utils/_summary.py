# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows: pure functions from module results to lines. Private to this collection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._rollout import LOST, NOT_REACHED, UNKNOWN, UNREACHABLE, succeeded
from ._typed import option, typed

ROLLOUT_HEAD = ("SERVER", "RUNS", "NOTE")
# Of a result that failed: the rest says more.
UNSHOWN = {
    *("commits", "commit_count", "diff", "dropped", "dropped_count", "environment", "exception", "now", "output"),
    *("phases", "reason", "release"),
}
COMMIT_CHARACTERS = 12
# What the shell and procmon write before setup: there is no procmon, or no configuration of the project.
NOT_SET_UP = re.compile(
    r"/procmon: (?:not found|No such file or directory)$|\.toml: cannot be read: No such file or directory$"
)


def result_text(host: str, project: str, result: Mapping[str, Any]) -> str:
    """Return how `releases` ended on `host` (`project@server`, which replaces the name in its message).

    The times of the phases are added to the first line.
    """
    first, *rest = str(result.get("msg", "")).removeprefix(f"{project}: ").split("\n")
    times = ", ".join(f"{phase['name']} {phase['seconds']} s" for phase in result.get("phases") or [])
    return "\n".join([f"{host}: {first}" + (f"; {times}" if times else ""), *rest])


def failed_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a failed result of `releases` as Ansible is to show it: without what a person need not read.

    Where nothing was changed, the first line of the message says so.
    """
    # That nothing was live before is worth a line.
    empty = {key for key, value in result.items() if value in (None, "", []) and key != "previous_commit"}
    kept = {key: value for key, value in result.items() if key not in UNSHOWN | empty}
    first, *rest = str(result.get("msg", "")).split("\n")
    if result.get("outcome") in {"failed", "unchanged"} and "othing was changed" not in first:
        first = f"{first}{'' if first.endswith(('.', '!', '?')) else '.'} Nothing was changed."
    return {**kept, "msg": "\n".join([first, *rest])}


def restart_result(host: str, project: str, answer: Mapping[str, Any], bind: str | None = None) -> dict[str, Any]:
    """Return the result of a restart, from that of the command which asked procmon for it and then for its status.

    `bind` is the address that the project should have: another one than procmon's waits for setup.
    """
    if answer.get("failed"):
        reason = str(answer.get("stderr") or answer.get("msg")).strip().removeprefix(f"{project}: ")
        if NOT_SET_UP.search(reason):
            reason = f"the project is not set up on this server: {reason}. Run `{typed('setup', project)}`"
        return {"failed": True, "changed": False, "outcome": "failed", "msg": f"{host}: {reason}"}
    status = json.loads(answer["stdout"])
    workers = status.get("workers") or []
    active = sum(worker["state"] == "active" for worker in workers)
    seconds = (status.get("restart") or {}).get("seconds")
    serves = _short(status.get("commit")) or status.get("release") or "the app"
    took = "" if seconds is None else f" in {seconds:.2f} s"
    msg = f"{host}: restarted{took}: generation {status.get('generation')} serves {serves}, {active} workers active"
    waits = bind and status.get("bind") not in (None, bind)
    setup = {"waits_for_setup": f"bind ({status['bind']} serves, {bind} is configured)"} if waits else {}
    msg += f". Run setup for: {setup['waits_for_setup']}" if waits else ""
    found = {"changed": True, "outcome": "restarted", "commit": status.get("commit"), "workers": active}
    return {**found, **setup, "msg": msg}


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return `rows` as lines, with columns aligned two blanks apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def rollout_table(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of a rollout of which a part failed: what each host runs now, in the order of the rollout.

    Nothing where all went well: each host has had its line.
    """
    rows = [rollout_row(host, result) for host, result in results.items()]
    return table([ROLLOUT_HEAD, *rows]) if any(not succeeded(result) for result in results.values()) else []


def rollout_row(host: str, result: Mapping[str, Any]) -> list[str]:
    """Return the row of `host` from its last result, which is empty if nothing was asked of it."""
    before = _short(result["previous_commit"]) or "nothing" if "previous_commit" in result else "as before"
    wanted = _short(result.get("commit"))
    outcome = str(result.get("outcome") or ("failed" if result.get("failed") else NOT_REACHED))
    if outcome == "unchanged":
        outcome = "failed" if result.get("failed") else "preview" if result.get("changed") else "same"
    rows = {
        "live": (wanted, "went live"),
        "same": (wanted, "was live already"),
        "preview": (before, f"{wanted} would go live"),
        "prepared": (before, f"{wanted} is prepared, not reached"),
        "put_back": (before, "failed, previous release restored"),
        "broken": ("not known", "failed, and could not be restored"),
        "restarted": (wanted, "restarted"),
        "no_app": ("-", "nothing to restart"),
        UNREACHABLE: (before, "cannot be reached"),
        LOST: ("not known", "the connection broke"),
        UNKNOWN: ("not known", "failed, see above"),
        NOT_REACHED: (before, f"{wanted} is prepared, not reached" if wanted else "not reached"),
    }
    return [host, *rows.get(outcome, (before, "failed, nothing was changed"))]


def removal_lines(host: str, result: Mapping[str, Any], *, check: bool) -> list[str]:
    """Return what `remove_project` has taken from a host, and what it has kept."""
    gone = ", ".join(result.get("removed") or []) or "nothing"
    lines = [f"{host}: {'would remove' if check else 'removed'} {gone}"]
    kept = [part for part in (result.get("kept"), result.get("kept_key")) if part]
    if kept:
        command = f"{typed('remove', host.partition('@')[0])} {option('data')}"
        them = "both" if len(kept) > 1 else "it"
        lines += [f"{host}: kept {' and the deploy key '.join(kept)}; `{command}` removes {them} as well"]
    return lines


def left_in_configuration(project: str, removed: Sequence[str], hosts: Sequence[str]) -> str:
    """Return what is to be taken out of the configuration once a project is off the hosts `removed`, of all `hosts`."""
    servers = ", ".join(host.partition("@")[2] for host in removed)
    what = f"the section {project}" if {*hosts} <= {*removed} else f"{servers} in the section {project}"
    return f"Now take {what} out of projects.yml or deploy.conf: until then `{typed('status')}` shows it as not set up."


def _short(commit: object) -> str:
    return str(commit or "")[:COMMIT_CHARACTERS]
