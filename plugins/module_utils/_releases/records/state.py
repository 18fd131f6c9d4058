# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""`.deploy.state`: the attempt that is under way, with all that is needed to undo it after a kill -9."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from ..errors import ReleaseError
from ..model import Current, Target
from ..options import Options
from ..system import files
from . import history

# Outcomes that need no recovery: an attempt with one of them in the journal is finished.
FINAL_OUTCOMES = frozenset({"live", "recovered", "failed", "put_back"})


class Recovery(Enum):
    """What to do about an interrupted attempt."""

    FINISH = "finish"
    UNDO = "undo"
    LEAVE = "leave"


@dataclass(frozen=True)
class Attempt:
    """One attempt to make a commit live.

    `started` is UTC in ISO 8601, `link` and `previous` are the text of `current` and its commit before, `source_head`
    is the HEAD of `source` before, `lines` the number of commits in `.deploys`. `id` distinguishes attempts of one
    second; those of an earlier version have none. `configuration` is the name of the one that was live, `environment`
    the text of the live `.venv`, `settings` the names of those that differ from the live ones.
    """

    started: str
    by: str
    action: str
    strategy: str
    ref: str
    commit: str
    release: str
    link: str | None
    previous: str | None
    source_head: str | None
    lines: int
    id: str = ""
    configuration: str | None = None
    environment: str | None = None
    settings: list[str] = field(default_factory=list)

    def live_before(self) -> Current:
        """Return what was live when the attempt began, as far as undoing needs it."""
        return Current(
            link=self.link,
            commit=self.previous,
            source_head=self.source_head,
            configuration=self.configuration,
            environment=self.environment,
        )

    def entry(self, outcome: str, phases: list[dict[str, object]], error: str = "") -> dict[str, object]:
        """Return the journal's line for this attempt."""
        return {
            "id": self.id,
            "time": self.started,
            "by": self.by,
            "action": self.action,
            "strategy": self.strategy,
            "ref": self.ref,
            "commit": self.commit,
            "from": self.previous,
            "to": self.commit,
            "release": self.release,
            "settings": self.settings,
            "phases": phases,
            "outcome": outcome,
            "error": error,
        }


def new_attempt(options: Options, action: str, before: Current, target: Target | None = None) -> Attempt:
    """Return an attempt that begins now; without a target it failed before the commit was found."""
    return Attempt(
        started=now(),
        by=options.by,
        action=action,
        strategy=options.strategy,
        ref=target.ref if target else options.to or options.ref or "",
        commit=target.commit if target else "",
        release=str(target.release) if target else "",
        link=before.link,
        previous=before.commit,
        source_head=before.source_head,
        lines=0,
        configuration=before.configuration,
        environment=before.environment,
        id=secrets.token_hex(6),
    )


def now() -> str:
    """Return the present time: UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path: Path, attempt: Attempt) -> None:
    """Record on disk what is about to happen."""
    files.write_synced(path, json.dumps(asdict(attempt), sort_keys=True))


def read(path: Path) -> Attempt | None:
    """Return the attempt that is under way or was interrupted, None when there is none.

    Raises ReleaseError when the file is corrupt.
    """
    try:
        return Attempt(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as unreadable:
        raise ReleaseError(
            f"{path} is corrupt: it records an interrupted deploy but cannot be read",
            "check where `current` points, then delete the file",
        ) from unreadable


def is_finished(attempt: Attempt, entries: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the journal has how the attempt ended, so that only its state file was left behind."""
    names = {"id": attempt.id} if attempt.id else {"time": attempt.started, "to": attempt.commit}
    own = [entry for entry in entries if all(entry.get(key) == value for key, value in names.items())]
    return any(entry.get("outcome") in FINAL_OUTCOMES for entry in own)


def is_broken(attempt: Attempt, entries: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the attempt came to its end, but could not restore the previous release."""
    return any(entry.get("id") == attempt.id and entry.get("outcome") == "broken" for entry in entries)


def choose_recovery(attempt: Attempt, link: str | None, link_of_release: str, lines: list[str]) -> Recovery:
    """Choose what to do about an interrupted attempt, given the text of `current` and the lines of `.deploys` now.

    The line in `.deploys` is written when everything has been verified: with it the attempt had succeeded. When
    `current` or the log show another deploy since, there is nothing left to undo.
    """
    grown = len(lines) > attempt.lines
    if grown and history.same(lines[-1], attempt.commit):
        return Recovery.FINISH
    if grown or link not in {attempt.link, link_of_release}:
        return Recovery.LEAVE
    return Recovery.UNDO
