# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A git that stops at a gate in one of its commands, before it does anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.releases.upstream import GIT
from tests.support.waiting import until

# Not the shell itself waits, but a program that it has started: that one, too, has to end.
SHIM = """#!/bin/sh
case " $* " in *" {command} "*)
    test -e {scratch}/gate || {{
        mkfifo {scratch}/gate
        (echo > {scratch}/up; read line < {scratch}/gate; {git} "$@"; rc=$?; echo > {scratch}/done; exit $rc)
        exit
    }};;
esac
exec {git} "$@"
"""


class GitShim:
    """Stands before git in the PATH while a test runs."""

    def __init__(self, scratch: Path, command: str) -> None:
        scratch.mkdir()
        self.up, self.gate, self.done = (scratch / name for name in ("up", "gate", "done"))
        program = scratch / "git"
        program.write_text(SHIM.format(git=GIT, scratch=scratch, command=command), encoding="utf-8")
        program.chmod(0o755)

    def put_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{self.up.parent}:{os.environ['PATH']}")

    def reach(self) -> None:
        """Wait until the command stands at the gate."""
        until(self.up.exists, "git at the gate")

    def open(self) -> bool:
        """Open the gate; return whether the command was still waiting."""
        return opened(self.gate)


def opened(gate: Path) -> bool:
    """Write to a named pipe; return whether a process was reading."""
    try:
        writer = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(writer, b"go\n")
    os.close(writer)
    return True
