# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Running a program to its end, or until it makes no more progress."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ..errors import ReleaseError
from . import children

# A caller inside a git hook exports these: git would then work on the wrong repository.
GIT_LOCATION_VARIABLES = frozenset(
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
Output = tuple["bytes | None", "bytes | None"]
EXIT_SECONDS = 5.0
# Programs of the packages that setup installs
INSTALLED_BY_SETUP = ("git",)
STALLED = "killed: it made no progress for too long"


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    rc: int
    out: str
    err: str


class Run(Protocol):
    """Runs a command to its end; see `run_command`."""

    def __call__(
        self,
        argv: Sequence[str],
        cwd: str | None = None,
        env: Mapping[str, str | None] | None = None,
        silence: float | None = None,
    ) -> Result: ...


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would point git at the caller's repository.

    As text it is UTF-8, whatever the locale is: see `encode_environment`.
    """
    found = {_decode(name): _decode(value) for name, value in os.environb.items()}
    return {name: value for name, value in found.items() if name not in GIT_LOCATION_VARIABLES}


def encode(text: str) -> bytes:
    """Return a text for another program: as UTF-8, which the server's locale need not be."""
    return text.encode("utf-8", "surrogateescape")


def encode_environment(variables: Mapping[str, str | None]) -> dict[bytes, bytes]:
    """Return the variables for another program, without those that are None."""
    return {encode(name): encode(value) for name, value in variables.items() if value is not None}


def encode_word(word: str) -> bytes:
    """Return an argument: what may be a path in the encoding of paths, and what that cannot express as other text."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:
        return encode(word)


def run_command(
    argv: Sequence[str],
    cwd: str | None = None,
    env: Mapping[str, str | None] | None = None,
    silence: float | None = None,
) -> Result:
    """Run `argv` without a shell in `cwd`, with `env` on top of its own environment; None removes a variable.

    It is killed when it has written nothing for `silence` seconds, and has then failed with STALLED as its last line.
    Raises ReleaseError when the program or the directory is not there.
    """
    try:
        with children.track_child() as begin, _started(argv, cwd, env, begin) as process:
            return _result(process, silence)
    except FileNotFoundError as missing:
        by_setup = os.fsdecode(missing.filename) in INSTALLED_BY_SETUP
        remedy = "run setup, which installs it" if by_setup else "install it on the server"
        raise ReleaseError(f"{os.fsdecode(missing.filename)}: not found", remedy) from missing


def _started(
    argv: Sequence[str], cwd: str | None, env: Mapping[str, str | None] | None, begin: Callable[[], None] | None
) -> subprocess.Popen[bytes]:
    # run_command neither ends what falls silent nor puts it into a process group of its own.
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        [*map(encode_word, argv)],
        cwd=cwd,
        env=encode_environment({**clean_environment(), **(env or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Neither a terminal that hangs up nor Ctrl-C may stop a git half way.
        start_new_session=True,
        preexec_fn=begin,  # noqa: PLW1509  it writes one line and takes no lock
    )


def _result(process: subprocess.Popen[bytes], silence: float | None) -> Result:
    try:
        out, err = _communicate_until_stalled(process, silence)
    except BaseException as end:
        terminate(process)
        if isinstance(end, subprocess.TimeoutExpired):
            return Result(-signal.SIGKILL, "", f"{_decode(end.stderr or b'')}\n{STALLED}")
        raise
    return Result(process.returncode, _decode(out), _decode(err))


def _decode(output: bytes) -> str:
    """Return output as text, every byte kept: file names need not be UTF-8, and the text mode would replace CR."""
    return output.decode("utf-8", "surrogateescape")


def _communicate_until_stalled(
    process: subprocess.Popen[bytes], silence: float | None, seen: Output = (None, None)
) -> tuple[bytes, bytes]:
    """Return what a program writes until its end. Raises TimeoutExpired when it writes no more than `seen`."""
    try:
        return process.communicate(timeout=silence)
    except subprocess.TimeoutExpired as late:
        written = (late.stdout, late.stderr)
        if written == seen:
            raise
    return _communicate_until_stalled(process, silence, written)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Terminate a program with all that it has started; it may remove what it has half written."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(EXIT_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
