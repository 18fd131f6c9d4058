# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ReleaseError


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    rc: int
    out: str
    err: str


class Run(Protocol):
    """Runs a command to its end; see `run_command`."""

    def __call__(
        self, argv: Sequence[str], cwd: Optional[str] = None, env: Optional[Mapping[str, str]] = None
    ) -> Result: ...


def run_command(argv: Sequence[str], cwd: Optional[str] = None, env: Optional[Mapping[str, str]] = None) -> Result:
    """Run `argv` without a shell in `cwd`, with `env` on top of this process's own environment.

    Raises ReleaseError when the program is not there.
    """
    try:
        done = subprocess.run(  # noqa: S603  argv is built by us, never by a shell
            list(argv),
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError as missing:
        # Python reports a missing working directory the same way.
        raise ReleaseError(f"{missing.filename} is not there", f"needed for: {' '.join(argv)}") from missing
    return Result(done.returncode, done.stdout, done.stderr)
