# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This machine with users of its own: a mount namespace in which /etc and /home are copies that a test may change."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NSENTER = shutil.which("nsenter") or "nsenter"
UNSHARE = shutil.which("unshare") or "unshare"
MOUNTS = """
mount --make-rprivate /
cp -a /etc {etc}
mount --bind {etc} /etc
mount -t tmpfs -o mode=755 home /home
mkdir -p /root/.ssh
mkdir -m 700 {root}
mount --bind {root} /root/.ssh
echo ready
read line
"""


@dataclass(frozen=True)
class Machine:
    """The namespace, held by a process."""

    pid: int

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it runs there, in the directory it is started in."""
        there = 'cd "$1"; shift; exec "$@"'
        return [NSENTER, f"--target={self.pid}", "--mount", "--", "sh", "-euc", there, "sh", str(Path.cwd())]

    def run(self, *argv: str) -> str:
        """Run a command there, and return what it prints."""
        return subprocess.run([*self.prefix, *argv], check=True, capture_output=True, text=True).stdout


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Make one until the end of the block; it needs root."""
    assert os.geteuid() == 0, "this test has users of its own: run it as root"
    script = MOUNTS.format(etc=folder / "etc", root=folder / "root")
    argv = [UNSHARE, "--mount", "sh", "-euc", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield Machine(holder.pid)
        holder.terminate()
