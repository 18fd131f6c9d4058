# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..model import ReleaseError
from ..records import history as log
from ..system import children as guard
from ..system.run import own_environment

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# They belong to the interpreter that runs us, not to the project.
NOT_FOR_HOOKS = frozenset({"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"})
SHELLS = ("/bin/bash", "/bin/sh")


@dataclass(frozen=True)
class Hook:
    """One of the project's commands: `name` is the option it stands in, `command` a line for the shell.

    It has `limit` seconds.
    """

    name: str
    command: str
    limit: float


def search_path(release: Path) -> str:
    """Return the PATH of hooks: the release's own Python environment first, then the system's."""
    own = release / ".venv" / "bin"
    return f"{own}:{SYSTEM_PATH}" if own.is_dir() else SYSTEM_PATH


def environment(release: Path, told: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a hook that runs in `release`; `told` are the DEPLOY_ variables."""
    kept = {name: value for name, value in own_environment().items() if name not in NOT_FOR_HOOKS}
    user = pwd.getpwuid(os.getuid())
    person = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    return {**kept, **person, "PATH": search_path(release), **told}


def run_hook(hook: Hook, release: Path, told: Mapping[str, str], output: Path) -> None:
    """Run a hook in `release`; what it writes is appended to the file `output`.

    Raises ReleaseError with the tail of its output when it does not exit with 0, or not in time.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    # A file and not a pipe: a daemon that the hook leaves behind would keep a pipe open for ever.
    with output.open("ab") as file:
        start = file.tell()
        rc = _run(hook, release, environment(release, told), file)
    if rc is None:
        late = f"{hook.name} took more than {hook.limit:g} s and was ended: {hook.command}"
        raise ReleaseError(late, "see hook_timeout", _written(output, start))
    if rc:
        raise ReleaseError(_verdict(hook, rc), detail=_written(output, start))


def _run(hook: Hook, directory: Path, env: Mapping[str, str], output: IO[bytes]) -> int | None:
    """Run a shell line to its end, and return None when that was not in time.

    When this process is stopped meanwhile, or time is up, all that the line started is killed.
    """
    with guard.watching() as begin:
        process = subprocess.Popen(
            [_shell(), "-c", hook.command],
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=begin,  # noqa: PLW1509  it writes one line and takes no lock
        )
        try:
            return process.wait(hook.limit)
        except (ReleaseError, subprocess.TimeoutExpired) as end:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(end, ReleaseError):
                raise
            return None


def _shell() -> str:
    return next(shell for shell in SHELLS if Path(shell).exists())


def _verdict(hook: Hook, rc: int) -> str:
    ended = f"exit {rc}" if rc > 0 else f"signal {-rc}"
    return f"{hook.name} failed ({ended}): {hook.command}"


def _written(output: Path, start: int) -> str:
    with output.open("rb") as file:
        file.seek(start)
        return log.tail(file.read().decode("utf-8", "replace"))
