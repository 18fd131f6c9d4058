# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..model import Live, ReleaseError
from ..system import files as durable
from . import history as log

FINISH, UNDO, LEAVE = "finish", "undo", "leave"
# Outcomes after which nothing is left to be put right: with one in the journal the attempt was over.
OVER = frozenset({"live", "recovered", "failed", "put_back"})


@dataclass(frozen=True)
class Attempt:
    """One try at making a commit live: what is under way, and all that is needed to undo it.

    `started` is UTC in ISO 8601, `link` and `previous` are what `current` said and meant before, `source_head`
    is the HEAD of `source` before, `lines` how many commits `.deploys` had. `id` tells attempts of one second apart;
    those of an earlier version have none.
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

    def live_before(self) -> Live:
        """Return what was live when the attempt began, as far as undoing needs it."""
        return Live(link=self.link, commit=self.previous, source_head=self.source_head)

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
            "phases": phases,
            "outcome": outcome,
            "error": error,
        }


def now() -> str:
    """Return the present time: UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id() -> str:
    """Return what no other attempt goes by."""
    return secrets.token_hex(6)


def write(path: Path, attempt: Attempt) -> None:
    """Say on disk what is about to happen."""
    durable.write_synced(path, json.dumps(asdict(attempt), sort_keys=True))


def read(path: Path) -> Attempt | None:
    """Return the attempt that is under way or was interrupted, None when there is none.

    Raises ReleaseError when the file says nothing we understand.
    """
    try:
        return Attempt(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as unreadable:
        raise ReleaseError(
            f"{path} tells of an interrupted run, but not which", "see what current points at, then remove the file"
        ) from unreadable


def is_over(attempt: Attempt, entries: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether the journal tells how the attempt ended, so that only its state was left behind."""
    names = {"id": attempt.id} if attempt.id else {"time": attempt.started, "to": attempt.commit}
    told = [entry for entry in entries if all(entry.get(key) == value for key, value in names.items())]
    return any(entry.get("outcome") in OVER for entry in told)


def remedy(attempt: Attempt, link: str | None, link_of_release: str, lines: list[str]) -> str:
    """Say what to do about an interrupted attempt, given what `current` and `.deploys` say now.

    The line in `.deploys` is written when all has been proven: with it the attempt had succeeded. When
    `current` or the log say that somebody else has deployed since, there is nothing left to undo.
    """
    grown = len(lines) > attempt.lines
    if grown and log.same(lines[-1], attempt.commit):
        return FINISH
    if grown or link not in {attempt.link, link_of_release}:
        return LEAVE
    return UNDO
