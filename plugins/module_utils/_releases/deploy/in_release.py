# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The live release as a place to work in: its directory, and the environment that hooks have there."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import env_file
from ..configuration import store, text
from ..configuration.store import Stored
from ..errors import ReleaseError
from ..git.client import Git
from ..model import ProjectPaths
from ..release import current
from ..system import attended
from ..system.run import encode_environment, run_command
from . import hooks


@dataclass(frozen=True)
class Place:
    """The directory of the live release, and the whole environment of what runs in it."""

    release: Path
    environment: dict[str, str]


def live(name: str, path: Path, own_file: Path | None) -> Place:
    """Return a project's live release. Raises ReleaseError when nothing is live, or the variables cannot be read."""
    paths = ProjectPaths(path)
    found = current.read(paths, Git(run_command, paths.source))
    if found.release is None or not found.release.is_dir():
        raise ReleaseError(f"no release of {name} is live: {paths.current} leads nowhere", "deploy it first")
    stored = store.read(paths, found.configuration) if found.configuration else None
    variables = {
        **app_variables(stored, own_file),
        "SHARED": str(paths.shared),
        "DEPLOY_PROJECT": name,
        "DEPLOY_COMMIT": found.commit or "",
        "DEPLOY_PATH": str(path),
        "DEPLOY_RELEASE": str(found.release),
    }
    return Place(found.release, hooks.environment(found.release, variables))


def app_variables(stored: Stored | None, own_file: Path | None) -> Mapping[str, str]:
    """Return the app's variables: those of a configuration, or of the project's own file. Raises ReleaseError."""
    if stored and stored.variables:
        return text.parse_variables(stored.variables)
    return env_file.read(own_file) if own_file else {}


def main(words: Sequence[str]) -> int | str:
    """Run a command in the live release, or become a shell there; return the exit code, or why that failed.

    `words` are the project, its path and the file of its variables, then those of the command.
    """
    name, path, own_file, *argv = words
    try:
        place = live(name, Path(path), Path(own_file) if own_file else None)
        return attended.run(argv, place.release, place.environment) if argv else _become_shell(place)
    except attended.NotStartedError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    except ReleaseError as error:
        return str(error)


def _become_shell(place: Place) -> int:
    """Replace this process by the user's shell, or by another where that is for no logins."""
    shell = pwd.getpwuid(os.getuid()).pw_shell
    if not os.access(shell, os.X_OK) or shell.endswith(("/nologin", "/false")):
        shell = next(program for program, *_options in hooks.SHELLS if os.access(program, os.X_OK))
    os.chdir(place.release)
    os.execve(shell, [shell, "-i"], encode_environment({**place.environment, "SHELL": shell}))  # noqa: S606  no other shell is wanted around it
