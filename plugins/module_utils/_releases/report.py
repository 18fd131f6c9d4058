# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a run has found and done so far, the same facts whether it ends well or not; the module returns them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .model import Commit
from .progress import Progress

# Facts that are left out where there is nothing to say
RARE = ("output", "ref_problem")


@dataclass
class Report:
    """The facts of one run.

    `dropped` are the commits that are live now and will not be; `settings` are the names of those that change;
    `phases` have their names and seconds, and what is worth knowing of some. `output` is what hooks wrote, where a
    reader of the progress asked for it. `ref_problem` is why a deploy would find no commit. `commits`
    and `dropped` may be cut short, `commit_count` and `dropped_count` never are.
    """

    changed: bool = False
    outcome: str = "unchanged"
    msg: str = ""
    commit: str | None = None
    subject: str = ""
    previous_commit: str | None = None
    release: str | None = None
    environment: str | None = None
    commits: list[Commit] = field(default_factory=list)
    dropped: list[Commit] = field(default_factory=list)
    phases: list[dict[str, Any]] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    setting_differences: list[str] = field(default_factory=list)
    output: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ref_problem: str = ""
    commit_count: int = 0
    dropped_count: int = 0
    progress: Progress = field(default_factory=Progress)

    @contextmanager
    def phase(self, name: str) -> Iterator[dict[str, Any]]:
        """Record how long a phase took, also one that failed. Yields its entry, for a `note` on what it did."""
        start = time.monotonic()
        entry: dict[str, Any] = {"name": name}
        self.progress.write({"start": name})
        try:
            yield entry
        except BaseException:
            entry["failed"] = True
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - start, 3)
            self.phases.append(entry)
            self.progress.write({"end": entry})

    def found(self) -> None:
        """Write to the progress what goes live."""
        keys = ("commit", "previous_commit", "commits", "commit_count", "dropped", "dropped_count", "settings")
        facts = asdict(replace(self, progress=Progress()))
        self.progress.write({"found": {key: facts[key] for key in keys}})

    def facts(self) -> dict[str, Any]:
        """Return what the module returns, without the warnings."""
        facts = asdict(replace(self, progress=Progress()))
        for private in ("warnings", "setting_differences", "progress"):
            del facts[private]
        return {key: value for key, value in facts.items() if value or key not in RARE}

    def diff(self) -> dict[str, str]:
        """Return the commits and settings that come and go, for --diff; of variables only the names."""
        coming = [f"+ {commit.sha[:12]} {commit.subject}" for commit in self.commits]
        going = [f"- {commit.sha[:12]} {commit.subject}" for commit in self.dropped]
        return {"prepared": "".join(f"{line}\n" for line in [*going, *coming, *self.setting_differences])}
