# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""How an attempt ends: its line in the journal, and its state file removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import as_failure
from ..project import Project
from ..records import history
from ..records.state import Attempt


def journal(project: Project, attempt: Attempt, outcome: str, error: str = "") -> None:
    """Write the attempt's line, and end it. A failure here is a warning: the deploy itself is decided."""
    project.report.outcome = outcome
    with as_warning(project, "the journal is incomplete"):
        history.append_entry(project.paths.journal, attempt.entry(outcome, project.report.phases, error))
    if outcome == "broken":
        # The live release was never verified: the next run finds the state file, and recovers.
        return
    with as_warning(project, "the state file of this run was not removed"):
        project.paths.state.unlink(missing_ok=True)


@contextmanager
def as_warning(project: Project, what: str) -> Iterator[None]:
    """Report a failure in here as a warning."""
    try:
        yield
    except Exception as reason:
        project.report.warnings.append(f"{what}: {as_failure(reason)}")
