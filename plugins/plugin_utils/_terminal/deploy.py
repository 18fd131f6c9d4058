# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deploy on one server: its phases as they end, what is under way, and how it ended. Pure.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .failure import bar_lines, failure_lines, message_of, sentence
from .look import Look, in_seconds
from .text import clean, clean_lines, cut, pad, wrap

NAME_CELLS, SECONDS_CELLS = 12, 10
SHA_CHARACTERS = 12
MAX_COMMITS = 8
# Phases that a person need not know of, unless they take long or fail.
MINOR = {"checkout", "clone", "compile", "prune", "switch"}
LONG_SECONDS = 0.5
NAMES = {"put back": "restore"}
INDENT = "    "
TAIL_LINES = 100


@dataclass
class Deploy:
    """What is known of a deploy, and shown."""

    look: Look
    ended: int = 0
    phase: str = ""
    since: float = 0.0
    has_started: bool = False
    has_switched: bool = False
    output: list[str] = field(default_factory=list)
    _found: bool = False
    _fetch: Mapping[str, Any] | None = None
    _characters: int = 0
    _line: str = ""
    _named: str = ""
    _last: str = ""

    def add(self, event: Mapping[str, Any], now: float) -> list[str]:
        """Return the lines that an event adds."""
        self.has_started = True
        if "start" in event:
            self.phase = self._last = str(event["start"])
            self.since, self._characters, self._named = now, 0, ""
            self.has_switched |= self.phase == "switch"
            return [] if event["start"] == "fetch" else self._release_fetch()
        if "output" in event:
            return self._add_output(str(event["output"]))
        if "end" in event:
            return self._end_phase(event["end"])
        return self._add_found(event["found"]) if "found" in event else []

    def finish(self, result: Mapping[str, Any], now: float) -> list[str]:
        """Return the lines for what the result has and no event has shown."""
        if result.get("outcome") == "unchanged" and not result.get("changed") and not result.get("failed"):
            self._fetch = None
            return []
        lines = [line for event in self._missing(result) for line in self.add(event, now)]
        lines += [*self._release_fetch(), *self._flush_output()]
        self.phase = ""
        return lines

    def live_lines(self, now: float, start: float) -> list[str]:
        """Return the line for what is under way."""
        name = pad(self.doing() or "starting", NAME_CELLS)
        spent = now - (self.since if self._last else start)
        return [f"  {self.look.spinner(now)} {name}{int(spent):>{SECONDS_CELLS - 2}} s"]

    def doing(self) -> str:
        """Return the name of the phase under way, between two that of the one before; nothing before the first."""
        return NAMES.get(self._last, self._last)

    def _missing(self, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the events that have not been seen."""
        outputs: list[Mapping[str, Any]] = [*(result.get("output") or [])]
        silent: Mapping[str, Any] = {"text": "", "characters": 0}
        phases = result.get("phases") or []
        # A revert fetches nothing: it knows its commit before its first phase.
        if self._lacks_commits(result) and not any(phase["name"] == "fetch" for phase in phases):
            yield {"found": result}
        for number, phase in enumerate(phases):
            own = outputs.pop(0) if outputs and outputs[0]["name"] == phase["name"] else silent
            if number >= self.ended:
                yield from self._missing_phase(phase, own)
            if phase["name"] == "fetch" and self._lacks_commits(result):
                yield {"found": result}

    def _missing_phase(self, phase: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rest of what a hook wrote, and the end of the phase."""
        missing = own["characters"] - (self._characters if self.phase == phase["name"] else 0)
        if self.phase != phase["name"]:
            yield {"start": phase["name"]}
        if missing > 0:
            yield {"output": own["text"][-missing:]}
        yield {"end": phase}

    def _lacks_commits(self, result: Mapping[str, Any]) -> bool:
        return bool(result.get("commits") or result.get("dropped")) and not self._found

    def _end_phase(self, phase: Mapping[str, Any]) -> list[str]:
        self.ended += 1
        lines = self._flush_output()
        self.phase, self._characters = "", 0
        if phase["name"] == "fetch" and not phase.get("failed"):
            # The commits come with the next event.
            self._fetch = phase
            return lines
        minor = phase["name"] in MINOR and phase["seconds"] < LONG_SECONDS and not phase.get("failed")
        return lines if minor else [*lines, phase_line(self.look, phase)]

    def _release_fetch(self) -> list[str]:
        fetch, self._fetch = self._fetch, None
        return [phase_line(self.look, fetch)] if fetch else []

    def _add_found(self, found: Mapping[str, Any]) -> list[str]:
        self._found = True
        head = {**(self._fetch or {"name": "commits"}), "note": count_text(found)}
        self._fetch = None
        return [phase_line(self.look, head), *found_lines(self.look, found)]

    def _add_output(self, text: str) -> list[str]:
        self._characters += len(text)
        whole, newline, self._line = (self._line + text).rpartition("\n")
        return self._output_lines(clean_lines(whole)) if newline else []

    def _flush_output(self) -> list[str]:
        line, self._line = self._line, ""
        return self._output_lines(clean_lines(line)) if line else []

    def _output_lines(self, lines: Sequence[str]) -> list[str]:
        if not self.look.output:
            return []
        self.output = [*self.output, *(line for line in lines if line.strip())][-TAIL_LINES:]
        return [*self._name_lines(), *bar_lines(self.look, lines, INDENT)]

    def _name_lines(self) -> list[str]:
        """Return the name above the first output of a phase: the line with its time comes when it has ended."""
        is_new, self._named = self.phase != self._named, self.phase
        return [INDENT + self.look.paint(clean(NAMES.get(self.phase, self.phase)), "dim")] if is_new else []


def head_line(look: Look, project: str, server: str, check: bool = False) -> str:
    """Return the line above a deploy."""
    mode = look.paint("  check mode: nothing is changed", "dim") if check else ""
    return f"{look.paint(clean(project), 'bold')} on {clean(server)}{mode}"


def phase_line(look: Look, phase: Mapping[str, Any]) -> str:
    """Return the line of a phase that has ended."""
    seconds = in_seconds(phase["seconds"]) if "seconds" in phase else ""
    name = clean(NAMES.get(phase["name"], phase["name"]))
    fixed = f"{pad(name, NAME_CELLS)}{seconds:>{SECONDS_CELLS}}"
    note = cut(clean(phase.get("note", "")), look.columns - len(fixed) - 6)
    mark = look.mark("failed" if phase.get("failed") else "ok")
    return f"  {mark} {pad(name, NAME_CELLS)}{look.paint(f'{seconds:>{SECONDS_CELLS}}', 'dim')}  {note}".rstrip()


def found_lines(look: Look, found: Mapping[str, Any]) -> list[str]:
    """Return the commits that go live, those that are live no longer, and the names of the settings that change.

    A commit that is live again is no new one: the last line has it.
    """
    coming, going = found.get("commit_count") or 0, found.get("dropped_count") or 0
    signs = ("+ ", "- ") if going else ("", "")
    lines = _commit_lines(look, found.get("commits") or [], coming, signs[0])
    lines += _commit_lines(look, found.get("dropped") or [], going, signs[1])
    settings = ", ".join(found.get("settings") or [])
    return [*lines, *([phase_line(look, {"name": "settings", "note": settings})] if settings else [])]


def diff_lines(look: Look, result: Mapping[str, Any]) -> list[str]:
    """Return what `--diff` shows besides the commits: settings."""
    listed = {"+": result.get("commits") or [], "-": result.get("dropped") or []}
    commits = tuple(f"{sign} {one['sha'][:SHA_CHARACTERS]}" for sign, several in listed.items() for one in several)
    lines = clean_lines(str((result.get("diff") or {}).get("prepared", "")))
    colors = {"+": "green", "-": "red"}
    return [
        INDENT + look.paint(cut(line, look.columns - len(INDENT)), colors.get(line[:1], "yellow"))
        for line in lines
        if line and not line.startswith(commits)
    ]


def count_text(found: Mapping[str, Any]) -> str:
    """Return how many commits come and go."""
    count, dropped = found.get("commit_count") or 0, found.get("dropped_count") or 0
    if dropped and not count:
        return f"{dropped} commit{'' if dropped == 1 else 's'} dropped"
    new = f"{count or 'no new'} commit{'' if count == 1 else 's'}"
    return f"{new}, {dropped} dropped" if dropped else new


def last_lines(look: Look, result: Mapping[str, Any], seconds: float, check: bool = False) -> list[str]:
    """Return the last line of a deploy that went well, and what to know after a revert."""
    took = f", {in_seconds(seconds)}"
    if not result.get("commit"):
        return [f"{look.mark('ok')} {cut(sentence_of(result), look.columns - 2 - len(took))}{took}"]
    sha, outcome = str(result["commit"])[:SHA_CHARACTERS], result.get("outcome")
    how = {"live": "is live", "restarted": restarted_text(result)}.get(
        str(outcome), "would go live" if check and result.get("changed") else "is already live"
    )
    rest = f"{how}{took}{address(result)}"
    fits = cut(clean(result.get("subject") or ""), look.columns - len(f"x {sha}  {rest}"))
    text = " ".join(filter(None, [look.paint(sha, "bold"), fits, rest]))
    waits = [f"run setup for: {result['waits_for_setup']}"] if result.get("waits_for_setup") else []
    return [f"{look.mark('ok')} {text}", *warning_lines(look, waits), *_next_revert(look, result)]


def address(result: Mapping[str, Any]) -> str:
    """Return where people open the app, for the end of a line; nothing where that is not configured."""
    return f"  {clean(result['url'])}" if result.get("url") else ""


def restarted_text(result: Mapping[str, Any]) -> str:
    """Return how a restart ended. The head line has the server, the last line the commit and the seconds."""
    workers = result.get("workers")
    return "restarted" if workers is None else f"restarted, {workers} worker{'' if workers == 1 else 's'} ready"


def sentence_of(result: Mapping[str, Any]) -> str:
    """Return the message of a result without the server's name before it."""
    return clean(message_of(result).split("\n")[0].rpartition(": ")[2])


def warning_lines(look: Look, warnings: Sequence[object]) -> list[str]:
    """Return warnings, each behind its mark."""
    found = [wrap(sentence(warning), look.columns - 2) for warning in warnings]
    return [
        f"{look.mark('warning') if first else ' '} {line}"
        for lines in found
        for first, line in zip([True, *[False] * len(lines)], lines, strict=False)
    ]


def failed_lines(look: Look, deploy: Deploy, result: Mapping[str, Any], seconds: float) -> list[str]:
    """Return the end of a deploy that failed: the reason, the output unless it stands above, and what is live now."""
    unchanged = result.get("outcome") in {"failed", "unchanged", None} and not result.get("now")
    named = {**result, "now": "Nothing was changed"} if unchanged and "reason" in result else result
    first, *more = failure_lines(look, named, deploy.output)
    return [
        f"{look.mark('failed')} {look.paint(first.strip(), 'bold')}",
        *more,
        look.paint(f"  Failed after {in_seconds(seconds)}.", "dim"),
    ]


def _commit_lines(look: Look, commits: Sequence[Mapping[str, Any]], count: int, sign: str) -> list[str]:
    """Return the newest of `count` commits, and how many there are besides."""
    lines = [_commit_line(look, commit, sign) for commit in commits[: min(count, MAX_COMMITS)]]
    more = [INDENT + look.paint(f"{sign}and {count - len(lines)} more", "dim")] if count > len(lines) > 0 else []
    return lines + more


def _commit_line(look: Look, commit: Mapping[str, Any], sign: str) -> str:
    sha = sign + str(commit["sha"])[:SHA_CHARACTERS]
    subject = cut(clean(commit["subject"]), look.columns - len(INDENT) - len(sha) - 1)
    return f"{INDENT}{look.paint(sha, 'dim')} {subject}".rstrip()


def _next_revert(look: Look, result: Mapping[str, Any]) -> list[str]:
    """Return what another revert does: a revert is itself a line of the log."""
    previous = str(result.get("previous_commit") or "")[:SHA_CHARACTERS]
    reverted = "another revert would return to" in str(result.get("msg", ""))
    return [look.paint(f"  Another revert would return to {previous}.", "dim")] if reverted else []
