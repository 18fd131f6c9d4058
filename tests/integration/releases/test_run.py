# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that may not be silent: who goes on telling has all the time, who does not is ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import STALLED, run_command

from tests.support.releases.shim import opened
from tests.support.waiting import until


def test_who_goes_on_telling_is_waited_for() -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >&2; sleep 0.1; done; echo end"
    assert run_command(["/bin/sh", "-c", script], silence=0.8).out == "end\n"


def test_who_is_silent_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    """The result has what it had written, and has time to remove what it has half made."""
    gate, removed = tmp_path / "gate", tmp_path / "removed"
    os.mkfifo(gate)
    script = f"trap 'touch {removed}; exit' TERM; (trap '' TERM; read line < {gate}) & echo half >&2; wait"
    done = run_command(["/bin/sh", "-c", script], silence=0.5)
    assert (done.rc, done.err) == (-signal.SIGKILL, f"half\n\n{STALLED}")
    assert removed.exists()
    until(lambda: not opened(gate), "the end of its child")
