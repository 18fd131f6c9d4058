# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Python environments: found by their key, or built."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ReleaseError
from ..system.run import Result, Run
from . import index as settings
from . import installer
from .interpreter import Interpreter, ask_interpreter
from .spec import (
    LOCK,
    Spec,
    digest,
    plan_environment,
)

__all__ = [
    "Environment",
    "Environments",
    "Interpreter",
    "Spec",
    "ask_interpreter",
    "is_complete",
    "key",
    "link",
    "plan_environment",
    "remove",
    "stale",
]

COMPLETE = ".complete"
KEY_LENGTH = 12
NAME = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
TAIL_LINES = 25
# Changed when environments are built in another way, so that those of before are not taken for new ones.
FORMAT = 1


@dataclass(frozen=True)
class Environment:
    """An environment that is complete. `built` is False when it was there already; `seconds` is what it took."""

    path: Path
    built: bool
    seconds: float


def key(spec: Spec, interpreter: Interpreter, environ: Mapping[str, str], told: Mapping[str, str] | None = None) -> str:
    """Name the environment by all that decides what is in it, in twelve hexadecimal digits.

    `told` are the hashes of the server's own settings (`settings.read_files`). Whether uv or pip installs is no part of
    it: both install what is asked for, and a revert after uv came to the server must not need the network.
    """
    decides = [FORMAT, spec.lead, digest(spec), spec.tied_to, asdict(interpreter), settings.variables(environ)]
    text = json.dumps([*decides, *filter(None, [told])], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def is_complete(path: Path) -> bool:
    """Tell whether the environment at `path` was built to its end, and its interpreter is still installed."""
    return (path / COMPLETE).is_file() and (path / "bin" / "python").exists()


@dataclass(frozen=True)
class Environments:
    """The environments of one project, below `path`, made from `interpreter`.

    `uv` is the program that installs; without it the one on the PATH does, then the one below `path`, then pip. `index`
    is where packages come from, an address or a directory; without it the server's own settings say.
    """

    path: Path
    interpreter: Interpreter
    run: Run
    uv: str | None = None
    index: str | None = None

    def ensure(self, spec: Spec, release: Path) -> Environment:
        """Find the environment that `release` asks for by `spec`, or build it.

        Raises ReleaseError with the end of the output when the build fails; nothing is left behind then.
        """
        started = time.monotonic()
        environ = {**os.environ, **settings.own(self.index)}
        path = self.path / key(spec, self.interpreter, environ, settings.read_files(environ, release))
        built = False
        if not is_complete(path):
            with _locked(self.path):
                built = self._build_once(path, spec, release)
        return Environment(path, built, time.monotonic() - started)

    def _build_once(self, path: Path, spec: Spec, release: Path) -> bool:
        """Build unless another process has done so while this one waited for the lock."""
        if is_complete(path):
            return False
        uv = self.uv or self._find_uv(release, needed=spec.lead == LOCK)
        self._build(path, installer.commands(spec, path, self.interpreter, uv), release)
        return True

    def _find_uv(self, release: Path, needed: bool) -> str | None:
        """Find uv. Nothing but uv reads uv.lock: where that makes it needed, it is installed below `path`."""
        own = self.path / ".uv"
        program = str(own / "bin" / "uv")
        found = shutil.which("uv") or (program if self._works(program) else None)
        if found or not needed:
            return found
        self._build(own, installer.uv_commands(own, self.interpreter), release)
        return program

    def _works(self, program: str) -> bool:
        """Tell whether `program` runs: one whose installation was killed may be there without being whole."""
        try:
            return self.run([program, "--version"]).rc == 0
        except (OSError, ReleaseError):
            return False

    def _build(self, path: Path, commands: Sequence[Sequence[str]], release: Path) -> None:
        """Run `commands` in the release. `path` is the final place: a virtual environment cannot be moved."""
        remove(path)
        with settings.untold(self.index, os.environ) as own:
            environ = {**installer.settings(self.path, path, os.environ), **own}
            for argv in commands:
                result = self.run(argv, str(release), environ)
                if result.rc != 0:
                    remove(path)
                    raise self._failure(argv, result)
        _mark_complete(path)

    def _failure(self, argv: Sequence[str], result: Result) -> ReleaseError:
        output = settings.without_credentials(result.out + result.err)
        command = " ".join("…" if "\n" in word else word for word in argv)
        tail = "\n".join(output.strip().splitlines()[-TAIL_LINES:])
        msg = f"the Python environment cannot be built: `{command}` ended with {result.rc}"
        return ReleaseError(msg, installer.hint_for(output, self.interpreter), tail)


def link(release: Path, environment: Path) -> bool:
    """Point the release's `.venv` at `environment`, relatively. Returns whether that changed anything.

    Raises ReleaseError when the repository brings a `.venv` of its own.
    """
    place, target = release / ".venv", os.path.relpath(environment, release)
    if place.is_symlink() and str(place.readlink()) == target:
        return False
    if place.exists() and not place.is_symlink():
        raise ReleaseError(f"{place} is not the link to the environment", "remove .venv from the repository")
    fresh = release / ".venv.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(place)
    return True


def stale(envs: Iterable[str], links: Iterable[str]) -> list[str]:
    """Name the environments that no release uses, out of the names below `envs` and the texts of all `.venv` links."""
    used = {Path(text).name for text in links}
    return sorted(name for name in envs if NAME.fullmatch(name) and name not in used)


def remove(path: Path) -> None:
    """Remove the environment at `path`, or what a killed build has left of one. It stops counting first."""
    (path / COMPLETE).unlink(missing_ok=True)
    if path.exists():
        shutil.rmtree(path)


@contextmanager
def _locked(envs: Path) -> Iterator[None]:
    """Let one process build at a time; the kernel frees the lock of a killed one."""
    envs.mkdir(parents=True, exist_ok=True)
    with (envs / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mark_complete(path: Path) -> None:
    os.sync()  # the marker must not outlive a power cut that the packages did not
    with (path / COMPLETE).open("w") as marker:
        os.fsync(marker.fileno())
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
