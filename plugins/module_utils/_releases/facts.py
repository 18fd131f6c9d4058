# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What `releases_info` returns about a project."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import procmon
from .errors import ReleaseError
from .git import refs
from .git.client import Git
from .model import Current, ProjectPaths
from .records import history, lock, state
from .release import current, prune
from .system.run import Run

JOURNAL_TAIL = 20


def collect_facts(
    paths: ProjectPaths, run: Run, ref: str | None, status_file: Path | None, *, fetch: bool
) -> dict[str, Any]:
    """Say all there is to know about a project on this server. Only `fetch` uses the network, or writes.

    Raises ReleaseError when git refuses to look, or the remote cannot be asked.
    """
    git = Git(run, paths.source)
    cloned = paths.source.is_dir() and git.is_repository()
    if fetch and cloned:
        git.fetch()
    live = current.read(paths, git)
    lines = history.read_deploys(paths.deploys)
    facts: dict[str, Any] = {
        "commit": live.commit,
        "release": str(live.release) if live.release else None,
        "releases": sorted(prune.release_ages(paths)),
        "history": lines,
        "journal": history.read_journal(paths.journal)[-JOURNAL_TAIL:],
        "locked_by": _locked_by(paths),
        "interrupted": _interrupted(paths),
        "behind": _behind(git, live.commit, ref) if cloned else None,
        "drift": drift(live, lines),
        "procmon": _procmon(status_file),
        **_subject(git, live.commit),
    }
    return {**facts, "notes": notes(facts, cloned=cloned)}


def drift(live: Current, lines: list[str]) -> list[str]:
    """Say where `current`, the log and the HEAD of `source` tell different things."""
    commit = live.commit
    if live.link is not None and commit is None:
        return [f"current points at {live.link}, which is no release"]
    if commit is None:
        return ["the log has commits, but there is no current"] if lines else []
    told = []
    if not lines or not history.same(lines[-1], commit):
        told.append(f"the log ends with {lines[-1] if lines else 'nothing'}, live is {commit[:12]}")
    if live.source_head and live.source_head != commit:
        told.append(f"the HEAD of source is {live.source_head[:12]}, live is {commit[:12]}")
    return told


def notes(facts: Mapping[str, Any], *, cloned: bool) -> list[str]:
    """Say in a few words each what somebody who looks at this project should know."""
    told = list(facts["drift"])
    if not cloned:
        told.append("not set up")
    elif facts["commit"] is None and not told:
        told.append("never deployed")
    if facts["locked_by"]:
        holder = facts["locked_by"]
        told.append(f"locked by {holder['by']} ({holder['doing']}) since {holder['since']}")
    if facts["interrupted"]:
        told.append(f"a run of {facts['interrupted']['by']} was interrupted at {facts['interrupted']['started']}")
    if facts["behind"]:
        told.append(f"{facts['behind']} behind")
    return [*told, *_supervision(facts)]


def _supervision(facts: Mapping[str, Any]) -> list[str]:
    procmon = facts["procmon"]
    told: list[str] = []
    if procmon is None or facts["release"] is None:
        return told
    if procmon["state"] in {"serving", "reloading"} and procmon.get("release") != facts["release"]:
        told.append(f"procmon serves {procmon.get('release')}")
    if (procmon.get("restart") or {}).get("result") == "failed":
        told.append("the last reload failed")
    return told


def _subject(git: Git, commit: str | None) -> dict[str, Any]:
    if commit is None or git.rev_parse(commit) is None:
        return {"subject": None, "age": None}
    return {"subject": git.commits(commit)[0].subject, "age": max(0, int(time.time()) - git.committed(commit))}


def _behind(git: Git, commit: str | None, ref: str | None) -> int | None:
    """Count the commits that the ref, as fetched last, has and the live one has not."""
    if commit is None or git.rev_parse(commit) is None:
        return None
    try:
        wanted = git.rev_parse(refs.choose(ref, git.refs()).revision)
    except ReleaseError:
        # The ref may be wrong, or not fetched yet: how far behind is then unknown, which is what None says.
        return None
    return git.count(wanted, commit) if wanted else None


def _locked_by(paths: ProjectPaths) -> dict[str, Any] | None:
    holder = lock.current_holder(paths.lock)
    return asdict(holder) if holder else None


def _interrupted(paths: ProjectPaths) -> dict[str, Any] | None:
    """Return the attempt that was left unfinished; while the lock is held it is simply under way."""
    found = None if lock.current_holder(paths.lock) else state.read(paths.state)
    return asdict(found) if found else None


def _procmon(status_file: Path | None) -> dict[str, Any] | None:
    if status_file is None:
        return None
    status, raw = procmon.read_status(status_file), procmon.read_raw(status_file)
    if status is None or raw is None or not procmon.is_running(status_file, status):
        return {"state": "not running", "workers": []}
    return dict(raw)
