# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Hooks: the project's own commands, with which environment they run, and how they end."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ..errors import ReleaseError
from ..printable import printable, tail
from ..system import children, files
from ..system.run import clean_environment, encode, encode_environment

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# These belong to the interpreter that runs this module, not to the project; BASH_ENV names a file that each bash reads.
NOT_FOR_HOOKS = frozenset({"BASH_ENV", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"})
# Below sshd, Debian's bash reads ~/.bashrc for a command as well, which may put another Python first on the PATH.
SHELLS = (("/bin/bash", "--norc"), ("/bin/sh",))
# How often what a hook writes is looked at.
COPY_SECONDS = 0.2


@dataclass(frozen=True)
class Hook:
    """One of the project's commands: `name` is its option, `command` the shell's text, `limit` its seconds."""

    name: str
    command: str
    limit: float


@dataclass(frozen=True)
class Listener:
    """Is called with a hook's name when it has `started`, and now and then while it is `waited` for."""

    started: Callable[[str], None]
    waited: Callable[[], None]


def search_path(release: Path) -> str:
    """Return the PATH of hooks: the release's own Python environment first, then the system's."""
    own = release / ".venv" / "bin"
    return f"{own}:{SYSTEM_PATH}" if own.is_dir() else SYSTEM_PATH


def environment(release: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a hook that runs in `release`; `variables` are the app's and the DEPLOY_ ones."""
    kept = {name: value for name, value in clean_environment().items() if name not in NOT_FOR_HOOKS}
    user = pwd.getpwuid(os.getuid())
    person = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    return {**kept, **person, "PATH": search_path(release), **variables}


def open_log(output: Path) -> FileIO:
    """Open the file that the hooks' output is appended to. Raises OSError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    return files.open_private(output)


def write_header(output: Path, hook: str, commit: str, started: str) -> None:
    """Begin the part of a hook in the file of all hooks' output, on a line of its own. Raises OSError."""
    with open_log(output) as file:
        end = file.tell()
        with output.open("rb") as found:
            found.seek(max(end - 1, 0))
            # The hook before may have ended in the middle of a line.
            start = b"\n" if end and found.read(1) != b"\n" else b""
        file.write(start + f"== {started} {commit[:12]} {hook}\n".encode())


def run_hook(
    hook: Hook,
    release: Path,
    variables: Mapping[str, str],
    output: Path,
    listener: Listener,
) -> None:
    """Run a hook in `release`; what it writes is appended to the file `output`.

    Raises ReleaseError with the tail of its output when it does not exit with 0, or not in time.
    """
    # A file and not a pipe: a daemon that the hook starts would keep a pipe open.
    with open_log(output) as file:
        start = file.seek(0, os.SEEK_END)
        rc = _run(hook, release, environment(release, variables), file, listener)
    if rc is None:
        late = f"{hook.name} hook timed out after {hook.limit:g} s and was killed: {_shown(hook.command)}"
        raise ReleaseError(late, "raise hook_timeout if it needs longer", _output_since(output, start))
    if rc:
        raise ReleaseError(_failure_message(hook, rc), detail=_output_since(output, start))


def _run(
    hook: Hook,
    directory: Path,
    env: Mapping[str, str],
    output: FileIO,
    listener: Listener,
) -> int | None:
    """Run a hook to its end, and return None when that was not in time.

    When this process is stopped, or time is up, all that the hook has started is killed.
    """
    with children.track_child() as begin:
        # run_command has no time limit, and nothing that kills what the hook leaves behind.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [*map(encode, shell_argv(hook.command))],
            cwd=directory,
            env=encode_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=begin,  # noqa: PLW1509  it writes one line and takes no lock
        )
        listener.started(hook.name)
        try:
            return _wait(process, hook.limit, listener)
        except (ReleaseError, subprocess.TimeoutExpired) as end:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(end, ReleaseError):
                raise
            return None


def _wait(process: subprocess.Popen[bytes], limit: float, listener: Listener) -> int:
    """Return the exit code. Raises TimeoutExpired after `limit` seconds."""
    end = time.monotonic() + limit
    while (left := end - time.monotonic()) > COPY_SECONDS and not _has_ended(process, COPY_SECONDS):
        listener.waited()
    return process.wait(max(left, 0))


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def shell_argv(command: str) -> list[str]:
    """Return the argument list for a command: of several lines, the first that fails ends it, as in CI systems."""
    stop_at_failure = ["-e"] if "\n" in command.strip() else []
    return [*next(shell for shell in SHELLS if Path(shell[0]).exists()), *stop_at_failure, "-c", command]


def _failure_message(hook: Hook, rc: int) -> str:
    ended = f"exit {rc}" if rc > 0 else f"signal {-rc}"
    return f"{hook.name} failed ({ended}): {_shown(hook.command)}"


def _shown(command: str) -> str:
    """Return a command as a message shows it: of several lines the first, and how many there are."""
    first, *others = command.strip().splitlines()
    return f"{first} … ({len(others) + 1} lines)" if others else first


def _output_since(output: Path, start: int) -> str:
    with output.open("rb") as file:
        file.seek(start)
        return printable(tail(file.read().decode("utf-8", "replace")))
