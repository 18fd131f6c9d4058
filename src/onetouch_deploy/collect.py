# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook beside this process, with what its tasks returned."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from . import playbook
from .errors import INTERRUPTED
from .results import Result, from_line

COLLECTING = {"ANSIBLE_CALLBACKS_ENABLED": "onetouch.deploy.results"}


def collect(arguments: Sequence[str], root: Path, extra: Mapping[str, str]) -> tuple[int, list[Result]]:
    """Run ansible-playbook, and return its exit code with what its tasks returned. Its own output is not shown."""
    with tempfile.TemporaryDirectory(prefix="deploy-") as directory:
        file = Path(directory) / "results"
        file.touch(mode=0o600)
        code = _wait(arguments, root, {**extra, **COLLECTING, "ONETOUCH_DEPLOY_RESULTS": str(file)})
        return code, [from_line(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _wait(arguments: Sequence[str], root: Path, extra: Mapping[str, str]) -> int:
    """Run it to its end. A terminal sends Ctrl-C to both processes: this one leaves it to Ansible."""
    interrupted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        interrupted.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        code = subprocess.run(
            playbook.arguments(arguments),
            cwd=root,
            env=playbook.environment(root, extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    return INTERRUPTED if interrupted else code
