# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook beside this process, with what its tasks returned."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from . import ansible_process, playbook, stopping
from .errors import OF_A_SIGNAL
from .results import Result, from_line

# What Ansible prints is dropped. With our callback an invalid inventory has the same exit code as otherwise.
COLLECTING = {
    "ANSIBLE_CALLBACKS_ENABLED": "onetouch.deploy.results",
    "ANSIBLE_STDOUT_CALLBACK": playbook.CALLBACK,
}


def collect(arguments: Sequence[str], root: Path, extra: Mapping[str, str]) -> tuple[int, list[Result], list[str]]:
    """Run ansible-playbook, and return its exit code, what its tasks returned, and what it has reported as errors.

    Its own output is not shown, and its errors are.
    """
    with tempfile.TemporaryDirectory(prefix="deploy-") as directory:
        names = {name: Path(directory) / name for name in ("results", "errors")}
        for file in names.values():
            file.touch(mode=0o600)
        own = {"ONETOUCH_DEPLOY_RESULTS": str(names["results"]), ansible_process.ERRORS: str(names["errors"])}
        code = _wait(arguments, root, {**extra, **COLLECTING, **own})
        lines = {name: file.read_text(encoding="utf-8").splitlines() for name, file in names.items()}
    return code, [*map(from_line, lines["results"])], [*map(json.loads, lines["errors"])]


def _wait(arguments: Sequence[str], root: Path, extra: Mapping[str, str]) -> int:
    """Run it to its end. A terminal sends Ctrl-C to both processes: this one leaves it to Ansible.

    What else ends a command may be sent to this one alone, and is passed on. Ansible may get it twice.
    """
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if number != signal.SIGINT:
            process.send_signal(number)

    argv, environment = playbook.arguments(arguments), playbook.environment(root, extra)
    none = subprocess.DEVNULL
    with (
        stopping.running(argv, cwd=root, env=environment, stdin=none, stdout=none) as process,
        stopping.handled_by(receive),
    ):
        code = process.wait()
    return OF_A_SIGNAL + received[0] if received else code
