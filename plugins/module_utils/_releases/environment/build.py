# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The environments of a project: one per content, found again or built, linked to releases, removed when unused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError
from ..system import files
from ..system.run import Run
from . import server_settings
from .index import index_variables
from .installer import Installer, is_complete
from .interpreter import Interpreter, check_version
from .spec import LOCK, Spec, digest

KEY_CHARACTERS = 12
NAME = re.compile(rf"[0-9a-f]{{{KEY_CHARACTERS}}}")
# Changed when environments are built in another way, so that those of before are not taken for new ones.
FORMAT = 2


@dataclass(frozen=True)
class Environment:
    """An environment that is complete. `built` is False when it was there already; `seconds` is what it took."""

    path: Path
    built: bool
    seconds: float


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
        path = self.path / self.key(spec, release)
        built = False
        if not is_complete(path):
            with files.locked(self.path / ".lock"):
                built = self._build_once(path, spec, release)
        return Environment(path, built, time.monotonic() - started)

    def key(self, spec: Spec, release: Path) -> str:
        """Return the name of the environment that `release` asks for."""
        environ = {**os.environ, **index_variables(self.index)}
        return key(spec, self.interpreter, self.path, environ, server_settings.digests(environ, release))

    def _build_once(self, path: Path, spec: Spec, release: Path) -> bool:
        """Build unless another process has done so while this one waited for the lock."""
        if is_complete(path):
            return False
        if spec.python:
            check_version(self.interpreter, spec.python)
        installer = Installer(self.path, self.interpreter, self.run, self.index)
        # Only uv reads uv.lock.
        uv = self.uv or installer.find_uv(needed=spec.lead == LOCK)
        installer.install_spec(spec, path, release, uv)
        return True


def key(
    spec: Spec, interpreter: Interpreter, place: Path, environ: Mapping[str, str], settings: Mapping[str, str]
) -> str:
    """Name an environment by all that decides what is in it, in twelve hexadecimal digits.

    `place` counts because programs in an environment name their interpreter by its absolute path: in a tree that was
    moved they would not start. `settings` are the hashes of the server's own settings. Whether uv or pip installs does
    not count: both install what is asked for, and a revert after uv came to the server must not need the network.
    """
    variables = server_settings.deciding_variables(environ)
    content = [spec.lead, digest(spec), spec.tied_to, variables, dict(settings)]
    text = json.dumps([FORMAT, str(place), interpreter.identity, *content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARACTERS]


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
