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
from typing import Protocol

from ansible_collections.onetouch.deploy.plugins.module_utils._releases import guard
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ReleaseError

# Whoever calls us from inside a git hook exports these: git would then work on the wrong repository.
CALLERS_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    rc: int
    out: str
    err: str


class Run(Protocol):
    """Runs a command to its end; see `run_command`."""

    def __call__(self, argv: Sequence[str], cwd: str | None = None, env: Mapping[str, str] | None = None) -> Result: ...


def own_environment() -> dict[str, str]:
    """Return this process's environment without what would point git at the caller's repository."""
    return {name: value for name, value in os.environ.items() if name not in CALLERS_REPOSITORY}


def run_command(argv: Sequence[str], cwd: str | None = None, env: Mapping[str, str] | None = None) -> Result:
    """Run `argv` without a shell in `cwd`, with `env` on top of this process's own environment.

    Raises ReleaseError when the program or the directory is not there.
    """
    try:
        with guard.watching() as begin:
            done = subprocess.run(
                list(argv),
                cwd=cwd,
                env={**own_environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                # Names of files are bytes: they must come back as they were.
                errors="surrogateescape",
                check=False,
                # A terminal that hangs up, or Ctrl-C, must not stop a git half way.
                start_new_session=True,
                preexec_fn=begin,
            )
    except FileNotFoundError as missing:
        remedy = f"install it on this server: it is needed for: {' '.join(argv)}"
        raise ReleaseError(f"{missing.filename} is not there", remedy) from missing
    return Result(done.returncode, done.stdout, done.stderr)
