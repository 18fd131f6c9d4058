# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the callback plugin `events` -> events and results. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.failure import (
    explain,
    lost_result,
    message_of,
    sentence,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.progress import parse

from .events import CommitsFound, Event, HookOutput, HostEnded, PhaseEnded, PhaseStarted, TaskEnded
from .outcome import GOOD, Commit, Failure, HostResult, Phase
from .results import STATUS

# The commands whose results have an outcome of their own.
WITH_OUTCOME = frozenset({"deploy", "revert", "restart"})
# After these another step of a rollout comes.
PASSING = frozenset({"prepared", "unchanged"})
UNDER_WAY = "The server comes to its own end: before the switch nothing changes. Ask with status."
UNFINISHED = "What it had begun may be unfinished. Run it again."
UNKNOWN = "The run ended without a result of this server."
NOT_KNOWN = "What it serves now is not known. Ask with status."


@dataclass
class Host:
    """What is known of one host.

    `ended` and `characters` count what the task under way has shown of its phases, and of the hook's output.
    `phases` are those of all tasks.
    """

    name: str
    project: str
    server: str
    has_begun: bool = False
    is_active: bool = False
    changed: bool = False
    phase: str = ""
    ended: int = 0
    characters: int = 0
    has_found: bool = False
    phases: list[Phase] = field(default_factory=list)
    outcome: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    result: HostResult | None = None

    @property
    def names(self) -> tuple[str, str, str]:
        return self.name, self.project, self.server


class Follower:
    """Follows the lines of one run of `command`."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._hosts: dict[str, Host] = {}
        self.has_begun = False

    def add(self, line: str) -> Iterator[Event]:
        """Yield what a line has reported."""
        # Of a line that a full disk has cut nothing is known.
        entry = parse(line.encode())
        kind = entry.pop("event", "")
        self.has_begun |= bool(kind)
        if kind == "play":
            for name, (project, server) in entry["hosts"].items():
                self._hosts.setdefault(name, Host(name, project, server))
        elif "host" in entry:
            # A task that is delegated, or of a play on localhost, may be of any host.
            host = self._hosts.setdefault(entry["host"], Host(entry["host"], *_parts(entry["host"])))
            yield from self._add(kind, host, entry)

    def finish(self, *, cancelled: bool) -> Iterator[Event]:
        """Yield the ends of the servers that had none yet."""
        for host in self._hosts.values():
            if host.result is None:
                yield self._end(host, cancelled=cancelled)

    def results(self) -> tuple[HostResult, ...]:
        """Return the results, which are complete after `finish`."""
        return tuple(host.result for host in self._hosts.values() if host.result)

    def _add(self, kind: str, host: Host, entry: Mapping[str, Any]) -> Iterator[Event]:
        if kind == "host":
            host.has_begun = host.is_active = True
            host.phase, host.ended, host.characters = "", 0, 0
        elif kind == "progress":
            yield from _progress(host, entry["entry"])
        elif kind == "ended":
            host.is_active = False
            host.changed |= entry["changed"]
            yield TaskEnded(*host.names, entry["name"], entry["outcome"], entry["changed"])
        elif kind == "result":
            yield from self._answer(host, entry)

    def _answer(self, host: Host, entry: Mapping[str, Any]) -> Iterator[Event]:
        found = entry["result"]
        host.warnings += [str(warning) for warning in found.get("warnings") or []]
        yield from missing(host, found)
        outcome = _outcome(self._command, host, entry)
        # What a server that failed returns later says less.
        if host.outcome in {"", "ok", *PASSING}:
            host.outcome, host.answer = outcome, found
        if self._command in WITH_OUTCOME and (outcome not in PASSING or len(self._hosts) == 1):
            yield self._end(host)

    def _end(self, host: Host, *, cancelled: bool = False) -> HostEnded:
        host.result = host.result or _result(self._command, host, cancelled=cancelled)
        return HostEnded(*host.names, host.result)


def _parts(name: str) -> tuple[str, str]:
    project, _at, server = name.partition("@")
    return project, server or name


def _progress(host: Host, entry: Mapping[str, Any]) -> Iterator[Event]:
    """Yield what a line of a progress file has reported."""
    if "start" in entry:
        host.phase, host.characters = str(entry["start"]), 0
        yield PhaseStarted(*host.names, host.phase)
    elif "output" in entry:
        host.characters += len(entry["output"])
        yield HookOutput(*host.names, str(entry.get("phase") or host.phase), entry["output"])
    elif "found" in entry:
        host.has_found = True
        yield _found(host, entry["found"])
    elif "end" in entry:
        host.phase = ""
        host.ended += 1
        host.phases.append(_phase(entry["end"]))
        yield PhaseEnded(*host.names, host.phases[-1])


def missing(host: Host, found: Mapping[str, Any]) -> Iterator[Event]:
    """Yield what a result has and the progress had not: a short deploy is not followed, and a full disk ends it."""
    outputs: list[Mapping[str, Any]] = [*(found.get("output") or [])]
    lacks_commits = bool(found.get("commits")) and not host.has_found
    phases = found.get("phases") or []
    # A revert fetches nothing: it knows its commit before its first phase.
    if lacks_commits and not any(phase["name"] == "fetch" for phase in phases):
        yield from _progress(host, {"found": found})
    for number, phase in enumerate(phases):
        own = outputs.pop(0) if outputs and outputs[0]["name"] == phase["name"] else {"text": "", "characters": 0}
        if number >= host.ended:
            yield from _missing_phase(host, phase, own)
        if phase["name"] == "fetch" and lacks_commits:
            yield from _progress(host, {"found": found})


def _missing_phase(host: Host, phase: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Event]:
    if host.phase != phase["name"]:
        yield from _progress(host, {"start": phase["name"]})
    left = own["characters"] - host.characters
    if left > 0:
        yield from _progress(host, {"output": own["text"][-left:]})
    yield from _progress(host, {"end": phase})


def _found(host: Host, found: Mapping[str, Any]) -> CommitsFound:
    return CommitsFound(
        *host.names,
        commit=str(found.get("commit") or ""),
        previous=found.get("previous_commit"),
        commits=_commits(found),
        count=int(found.get("commit_count") or 0),
        dropped=int(found.get("dropped_count") or 0),
        settings=tuple(found.get("settings") or ()),
    )


def _commits(found: Mapping[str, Any]) -> tuple[Commit, ...]:
    return tuple(Commit(one["sha"], one["subject"]) for one in found.get("commits") or [])


def _phase(entry: Mapping[str, Any]) -> Phase:
    seconds, note = float(entry.get("seconds") or 0), str(entry.get("note") or "")
    return Phase(str(entry["name"]), seconds, note, bool(entry.get("failed")))


def _outcome(command: str, host: Host, entry: Mapping[str, Any]) -> str:
    """Return the word for what a module has returned."""
    found, own = entry["result"], str(entry["result"].get("outcome") or "")
    if entry["outcome"] == "unreachable":
        return "lost" if host.phases or host.phase else "unreachable"
    if entry["outcome"] == "failed":
        return own if own and own != "unchanged" else "failed"
    # What doctor makes of it comes later.
    if entry["action"] == STATUS and "commit" not in found and command != "doctor":
        return "failed"
    return own if own and command in WITH_OUTCOME else "ok"


def _result(command: str, host: Host, *, cancelled: bool) -> HostResult:
    """Return the result of a host once no more comes."""
    outcome, found = host.outcome, host.answer
    with_outcome = command in WITH_OUTCOME
    if host.is_active:
        outcome, found = "under_way" if cancelled else "unknown", {}
    elif not host.has_begun or (not outcome and cancelled):
        outcome = "not_reached"
    outcome = outcome or ("unknown" if with_outcome else "ok")
    return HostResult(
        *host.names,
        outcome=outcome,
        changed=bool(found.get("changed")) if with_outcome else host.changed,
        commit=found.get("commit") or None,
        previous=found.get("previous_commit"),
        settings=tuple(found.get("settings") or ()),
        commits=_commits(found),
        phases=tuple(host.phases),
        warnings=tuple(dict.fromkeys(host.warnings)),
        error=_failure(host, outcome, found, UNDER_WAY if with_outcome else UNFINISHED),
        data=found,
    )


def _failure(host: Host, outcome: str, found: Mapping[str, Any], under_way: str) -> Failure | None:
    if outcome in GOOD:
        return None
    if outcome == "under_way":
        phase = f" ({host.phase})" if host.phase else ""
        reason = f"{host.project} on {host.server} was under way{phase} when the run was cancelled."
        return Failure(f"{reason} {under_way}", reason, now=under_way)
    if outcome == "unknown" and not found:
        return Failure(f"{UNKNOWN} {NOT_KNOWN}", UNKNOWN, now=NOT_KNOWN)
    if outcome == "not_reached" and not found:
        return Failure("The run ended before its turn.", "The run ended before its turn.", now="Nothing was changed.")
    if outcome in {"unreachable", "lost"} and not found.get("outcome"):
        found = {**found, **lost_result(found, host.server, started=outcome == "lost")}
    reason, tail = explain(found)
    return Failure(message_of(found), reason, "\n".join(tail), sentence(found.get("now")))
