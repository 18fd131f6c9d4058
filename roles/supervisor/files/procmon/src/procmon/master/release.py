# SPDX-License-Identifier: GPL-3.0-or-later
"""From a configuration to the release that its directory leads to right now."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from ..config import Config
from ..core.events import Release

SYSTEMD_VARIABLES = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "INVOCATION_ID"}
    | {"JOURNAL_STREAM", "MAINPID", "MANAGERPID", "SYSTEMD_EXEC_PID", "FDSTORE"}
)
"""What systemd passes to procmon alone: a worker that used it would confuse both."""
LONGEST_LINK_CHAIN = 5

NO_INTERPRETER = "does not exist or cannot be executed"
"""What is wrong with the app's interpreter: the system was upgraded, and the release needs a new environment."""


class ReleaseError(Exception):
    """Raised when no generation can be started from the directory."""


class ReleaseMissingError(ReleaseError):
    """Raised when the directory does not exist (yet)."""


def resolve(config: Config) -> Release:
    """Read what a new generation is to be started from. Raises `ReleaseError`."""
    try:
        real = config.directory.resolve(strict=True)
    except FileNotFoundError as error:
        raise ReleaseMissingError(f"directory = {str(config.directory)!r} does not exist") from error
    except (OSError, RuntimeError) as error:  # Python before 3.13 raises RuntimeError for a loop of links
        reason = error.strerror if isinstance(error, OSError) else "its symbolic links lead in a circle"
        raise ReleaseError(f"directory = {str(config.directory)!r} cannot be used: {reason}") from error
    if not real.is_dir():
        raise ReleaseError(f"directory = {str(config.directory)!r} is not a directory")
    return Release(str(real), config, read_commit(real), choose_python(config, real), worker_environment(config))


def choose_python(config: Config, release: Path) -> str:
    """Return the app's interpreter: `python`, the release's own, or procmon's. Raises `ReleaseError`."""
    own = release / ".venv" / "bin" / "python"
    # A broken link counts as there: silently taking another interpreter would run the app without its packages.
    chosen = config.python or (str(own) if os.path.lexists(own) else sys.executable)
    if not os.access(chosen, os.X_OK):
        raise ReleaseError(f"the Python interpreter {chosen} {NO_INTERPRETER}")
    return chosen


def worker_environment(config: Config) -> Mapping[str, str]:
    """Return the workers' environment: procmon's own without systemd's messages, then `env_file`, then `env`."""
    own = {name: value for name, value in os.environ.items() if name not in SYSTEMD_VARIABLES}
    return {**own, **_from_file(config.env_file), **config.env, "PYTHONUNBUFFERED": "1"}


def _from_file(path: str) -> Mapping[str, str]:
    if not path:
        return {}
    try:
        return parse_env_file(_read_regular_file(path).decode())
    except (OSError, ValueError) as error:
        raise ReleaseError(f"env_file = {path!r}: {error}") from error


def _read_regular_file(path: str) -> bytes:
    """Read a file that has an end: waiting for the writer of a named pipe, procmon would supervise nothing."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        return file.read()


def parse_env_file(text: str) -> Mapping[str, str]:
    """Read lines of KEY=value; "..." as in JSON, '...' as it stands, # begins a comment line. Raises ValueError."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()  # noqa: PLW2901 - the other one is not needed
        if not line or line.startswith("#"):
            continue
        matched = re.fullmatch(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)", line)
        if matched is None or "\0" in line:
            raise ValueError(f"line {number} must be KEY=value")
        found[matched[1]] = _unquote(matched[2], number)
    return found


def _unquote(value: str, number: int) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if not value.startswith('"'):
        return value
    try:
        found = str(json.loads(value))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}: {error.msg} in a quoted value") from error
    if not re.fullmatch(r"[^\0\ud800-\udfff]*", found):
        raise ValueError(f"line {number}: no environment can hold such a value")
    return found


def read_commit(release: Path) -> str | None:
    """Return the commit that is checked out in `release`; None when it is no git work tree, or one that is damaged."""
    try:
        git = _git_directory(release)
        return _follow(git, _common_directory(git))
    except (OSError, ValueError):
        # A power loss leaves files full of zeros: no path, and no text.
        return None


def _git_directory(release: Path) -> Path:
    dot_git = release / ".git"
    if dot_git.is_dir():
        return dot_git
    # A work tree's .git is a file that names the directory.
    return release / dot_git.read_text().strip().removeprefix("gitdir: ")


def _common_directory(git: Path) -> Path:
    try:
        return git / (git / "commondir").read_text().strip()
    except FileNotFoundError:
        return git


def _follow(git: Path, common: Path) -> str | None:
    found = (git / "HEAD").read_text().strip()
    for _link in range(LONGEST_LINK_CHAIN):
        if not found.startswith("ref: "):
            break
        found = _read_ref(common, found.removeprefix("ref: "))
    return found if re.fullmatch(r"[0-9a-f]{40,64}", found) else None


def _read_ref(common: Path, name: str) -> str:
    if (common / name).is_file():
        return (common / name).read_text().strip()
    for line in (common / "packed-refs").read_text().splitlines():
        commit, _blank, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""
