# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What `releases_info` returns about a project: what is live, since when, and what a person should know about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import procmon
from .configuration.plan import waiting_settings
from .errors import ReleaseError
from .git import refs
from .git.client import Git
from .model import Current, ProjectPaths
from .records import history, lock, state
from .release import current, prune
from .system.run import Run

JOURNAL_TAIL = 20
# Outcomes after which the commit was live; "recovered" is a run that was interrupted and finished by the next one.
LIVE_OUTCOMES = ("live", "recovered")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# What the lock's holder is doing, by the first word of its purpose.
ACTIVITIES = {"setup": "setting up", "prepare": "preparing", "deploy": "deploying", "revert": "reverting"}


@dataclass(frozen=True)
class Question:
    """What is asked about a project: the ref that it should serve, procmon's status file, the settings it should have.

    `waiting_paths` are those in which the unit of procmon differs. `fetch` asks the remote first.
    """

    ref: str | None = None
    status_file: Path | None = None
    config: Mapping[str, Any] | None = None
    waiting_paths: Iterable[str] = ()
    fetch: bool = False


def collect_facts(paths: ProjectPaths, run: Run, question: Question) -> dict[str, Any]:
    """Return all there is to know about a project on this server. Only `fetch` uses the network, or writes.

    Raises ReleaseError when git refuses to look, or the remote cannot be asked.
    """
    git = Git(run, paths.source)
    cloned = paths.source.is_dir() and git.is_repository()
    if question.fetch and cloned:
        git.fetch()
    live = current.read(paths, git)
    lines, journal = history.read_deploys(paths.deploys), history.read_journal(paths.journal)
    facts: dict[str, Any] = {
        "commit": live.commit,
        "subject": _subject(git, live.commit),
        **_live_since(paths, live, lines, journal),
        "release": str(live.release) if live.release else None,
        "releases": sorted(prune.release_ages(paths)),
        "history": lines,
        "journal": journal[-JOURNAL_TAIL:],
        "locked_by": _locked_by(paths),
        "interrupted": _interrupted(paths),
        "behind": _behind(git, live.commit, question.ref) if cloned else None,
        "ref_problem": refs.ref_error(question.ref, git.refs()) if cloned and not live.commit else "",
        "drift": drift(live, [git.rev_parse(line) or line for line in lines[-1:]] if cloned else lines),
        "procmon": dict(procmon.report(question.status_file)) if question.status_file else None,
        "waiting_settings": [*waiting_settings(paths, live.configuration, question.config or {}), *_lost(live)],
    }
    facts["waiting_for_setup"] = _waiting_for_setup(facts["procmon"], question)
    return {**facts, "notes": notes(facts, cloned=cloned, now=time.time())}


def _lost(live: Current) -> list[str]:
    """Return that a deploy has to build the live release's environment again, by the name that it has there."""
    return ["environment"] if live.release and current.has_lost_its_python(live.release) else []


def _waiting_for_setup(status: Mapping[str, Any] | None, question: Question) -> list[str]:
    """Return the settings of root that differ from what runs, by procmon's `status`."""
    running, wanted = (status or {}).get("bind"), (question.config or {}).get("bind")
    bind = ["bind"] if running and wanted not in (None, running) else []
    return [*bind, *(["writable_paths"] if question.waiting_paths else [])]


def live_since(entries: Iterable[Mapping[str, Any]], commit: str) -> float | None:
    """Return when the journal's last entries made `commit` live, in seconds since the epoch.

    Entries that made it live again while it was live count as one. None when the last commit that the journal saw go
    live is another one, or an entry is damaged.
    """
    since = None
    for entry in reversed([entry for entry in entries if entry.get("outcome") in LIVE_OUTCOMES]):
        if entry.get("commit") != commit:
            break
        since = parse_time(entry.get("time"))
    return since


def parse_time(text: object) -> float | None:
    """Return the seconds since the epoch that an ISO time of our records means, None for anything else."""
    try:
        return datetime.strptime(str(text), TIME_FORMAT).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def drift(live: Current, lines: list[str]) -> list[str]:
    """Return where `current`, the log and the HEAD of `source` disagree."""
    commit = live.commit
    if live.link is not None and commit is None:
        return [f"current points at {live.link}, which is no release"]
    if commit is None:
        return ["the log has commits, but there is no current"] if lines else []
    found = []
    if not lines or not history.same(lines[-1], commit):
        found.append(f"the log ends with {lines[-1][:12] if lines else 'nothing'}, live is {commit[:12]}")
    if live.source_head and live.source_head != commit:
        found.append(f"the HEAD of source is {live.source_head[:12]}, live is {commit[:12]}")
    return found


def notes(facts: Mapping[str, Any], *, cloned: bool, now: float) -> list[str]:
    """Return what a person who looks at this project should know, in a few words each.

    While a run is under way its sentence is the only one: what it has not finished yet is no drift.
    """
    if facts["locked_by"]:
        return [activity(facts["locked_by"], now)]
    found = list(facts["drift"])
    if not cloned:
        found.append("not set up")
    elif facts["commit"] is None and not found:
        found.append("never deployed")
        if facts.get("ref_problem"):
            found.append(f"nothing to deploy, by what was fetched last: {facts['ref_problem']}")
    if facts["interrupted"]:
        found.append(_interruption(facts["interrupted"], facts["journal"]))
    if facts["behind"]:
        found.append(f"{facts['behind']} behind")
    return [*found, *_supervision(facts), *_waiting(facts)]


def _waiting(facts: Mapping[str, Any]) -> list[str]:
    """Return what the configuration on the laptop has, and the server has not."""
    for_setup = facts.get("waiting_for_setup") or []
    for_deploy = [key for key in facts.get("waiting_settings") or [] if key not in for_setup]
    sentences = (("settings wait for a deploy: ", for_deploy), ("run setup for: ", for_setup))
    return [sentence + ", ".join(names) for sentence, names in sentences if names]


def activity(holder: Mapping[str, Any], now: float) -> str:
    """Return who holds the lock, what they are doing and for how long, as one sentence."""
    verb, _blank, rest = str(holder["doing"]).partition(" ")
    steps = f" step{'' if rest == '1' else 's'}" if verb == "revert" and rest.isdigit() else ""
    doing = f"{ACTIVITIES.get(verb, verb)} {rest}{steps}".rstrip()
    since = parse_time(holder["since"])
    return f"{holder['by']} is {doing}" + ("" if since is None else f", for {max(0, int(now - since))} s")


def _supervision(facts: Mapping[str, Any]) -> list[str]:
    status = facts["procmon"]
    if status is None or facts["release"] is None:
        return []
    found = []
    if status["state"] in {"serving", "reloading"} and status.get("release") != facts["release"]:
        found.append(f"procmon serves {status.get('release')}")
    if (status.get("restart") or {}).get("result") == "failed":
        found.append("the last reload failed")
    return found


def _live_since(paths: ProjectPaths, live: Current, lines: list[str], journal: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `live_since` and `live_seconds`; the original script writes no journal, but its line is the log's last."""
    since = live_since(journal, live.commit) if live.commit else None
    if since is None and live.commit and lines and history.same(lines[-1], live.commit):
        since = paths.deploys.stat().st_mtime
    if since is None:
        return {"live_since": None, "live_seconds": None}
    text = datetime.fromtimestamp(since, timezone.utc).strftime(TIME_FORMAT)
    return {"live_since": text, "live_seconds": max(0, int(time.time() - since))}


def _subject(git: Git, commit: str | None) -> str | None:
    return git.commits(commit)[0].subject if commit and git.rev_parse(commit) else None


def _behind(git: Git, commit: str | None, ref: str | None) -> int | None:
    """Count the commits that the ref, as fetched last, has and the live one has not."""
    if commit is None or git.rev_parse(commit) is None:
        return None
    try:
        wanted = git.rev_parse(refs.choose(ref, git.refs()).revision)
    except ReleaseError:
        # The ref may be wrong, or not fetched yet: how far behind it is cannot be known.
        return None
    return git.count(wanted, commit) if wanted else None


def _locked_by(paths: ProjectPaths) -> dict[str, Any] | None:
    holder = lock.current_holder(paths.lock)
    return asdict(holder) if holder else None


def _interruption(attempt: Mapping[str, Any], journal: Iterable[Mapping[str, Any]]) -> str:
    is_broken = any(entry.get("id") == attempt["id"] and entry.get("outcome") == "broken" for entry in journal)
    end = "failed and could not restore the previous release" if is_broken else "was interrupted"
    return f"the run of {attempt['by']} at {attempt['started']} {end}; the next deploy or revert recovers from it"


def _interrupted(paths: ProjectPaths) -> dict[str, Any] | None:
    """Return the attempt that was left unfinished; while the lock is held it is simply under way."""
    found = None if lock.current_holder(paths.lock) else state.read(paths.state)
    return asdict(found) if found else None
