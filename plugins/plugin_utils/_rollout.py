# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which the servers of projects are changed. Pure. Private to this collection.

Different projects do not wait for each other. Of one project, the first server finds the commit, all others prepare
the same one, and then they go live in turns: `at_once` servers, and the next ones when all of these have succeeded. A
server that fails, in either step, stops the turns after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NOT_REACHED = "not_reached"
UNREACHABLE = "unreachable"
LOST = "lost"
UNKNOWN = "unknown"
# How a server may end without having stopped those after it.
GOOD = {"live", "unchanged", "prepared", "restarted", "no_app"}


def project_servers(host: str, project: str, play: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the hosts of the project of `host`, in the order of the play. A project without a group is one host."""
    members = {*groups.get(project, ()), host}
    return [other for other in play if other in members]


def in_turns(projects: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the hosts of all projects: the first of each, then the second of each, and so on.

    Ansible starts hosts in this order, at most `forks` at a time: a project never waits for one that started later.
    """
    longest = max(map(len, projects.values()), default=0)
    return [hosts[turn] for turn in range(longest) for hosts in projects.values() if turn < len(hosts)]


def hosts_before(host: str, servers: Sequence[str], at_once: int) -> list[str]:
    """Return the servers that must have succeeded before the turn of `host`."""
    return list(servers[: servers.index(host) // at_once * at_once])


def read_at_once(value: object) -> int | None:
    """Return `at_once` as a number, 1 where it is not set, None for what is no such number."""
    text = "1" if value is None else str(value).strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def succeeded(result: Mapping[str, Any]) -> bool:
    """Return whether the servers after this one may go on."""
    return not result.get("failed") and result.get("outcome") in GOOD


def first_failed(hosts: Iterable[str], results: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the first of `hosts` that stops the others."""
    return next((host for host in hosts if not succeeded(results[host])), None)


def known(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the commits that a server's first step has found."""
    return {key: result[key] for key in ("commit", "previous_commit") if key in result}


def not_reached(failed: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a server whose turn did not come, with what its first step has found."""
    reason = f"not reached, because {failed} failed"
    return {**known(before), "changed": False, "skipped": True, "outcome": NOT_REACHED, "msg": reason}


def lost(host: str, error: object, why: str, *, connected: bool, harmless: bool) -> dict[str, Any]:
    """Return the result of a server that did not answer: with an error, and `why` it could not be reached.

    `connected` is whether it had been logged in to, `harmless` whether what was asked changes nothing live.
    """
    unchanged = harmless or not connected
    msg = (
        f"{host} cannot be reached: {why}"
        if unchanged
        else (f"The connection to {host} broke: {error}. What it serves now is not known. Ask with status.")
    )
    return {"failed": True, "changed": False, "outcome": UNREACHABLE if unchanged else LOST, "msg": msg}
