# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Programs that setup installs, each in a Python environment of its own below one directory.

A program of which several builds may run at a time, as procmon during an upgrade, has a directory for each build. Its
name is a hash of what it was built from, interpreter included: another interpreter is another build. `current` links to
the newest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .._releases.environment.installer import Installer, works
from .._releases.environment.interpreter import Interpreter
from .._releases.system import files
from .._releases.system.run import Run

NAME_LENGTH = 12
BUILD = "build"
CURRENT = "current"


def name_build(source: str, interpreter: Interpreter) -> str:
    """Return the name of the build that an interpreter makes of a source, which is given by its hash."""
    text = json.dumps([source, interpreter.identity], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:NAME_LENGTH]


@dataclass(frozen=True)
class Installation:
    """A program `program` in the environment `venv`; a build has its name in a file beside it, written last."""

    venv: Path
    program: str
    build: str = ""

    @property
    def path(self) -> Path:
        """The installed program."""
        return self.venv / "bin" / self.program

    def is_complete(self, run: Run) -> bool:
        """Return whether the program was installed to its end, and runs where it is."""
        marker = self.venv.parent / BUILD
        built = not self.build or (marker.is_file() and marker.read_text(encoding="utf-8") == self.build)
        return built and works(run, str(self.path))

    def install(self, installer: Installer, words: Iterable[str], uv: str | None) -> bool:
        """Install it, unless another run has done so meanwhile; return whether this one did."""
        with files.locked(installer.envs / ".lock"):
            if self.is_complete(installer.run):
                return False
            self.venv.parent.mkdir(exist_ok=True)
            installer.install(self.venv, [*words], uv)
            if self.build:
                (self.venv.parent / BUILD).write_text(self.build, encoding="utf-8")
        return True


def switch(home: Path, name: str) -> bool:
    """Point `current` at a build, atomically. Return whether it pointed elsewhere."""
    link = home / CURRENT
    if link.is_symlink() and str(link.readlink()) == name:
        return False
    fresh = home / f"{CURRENT}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
    return True


def unused(home: Path, commands: Iterable[str]) -> list[Path]:
    """Return the builds that are neither current nor named by any of the command lines of running processes.

    A draining worker still uses its build. 0.1.0 put the environment where its directory `venv` is now.
    """
    running = "\0".join(commands)
    current = (home / CURRENT).resolve()
    builds = (path for path in sorted(home.iterdir()) if path.is_dir() and not path.is_symlink())
    return [
        path
        for path in builds
        if any((path / place).exists() for place in ("pyvenv.cfg", "venv/pyvenv.cfg"))
        and path.resolve() != current
        and f"{path}/" not in running
    ]


def command_lines() -> list[str]:
    """Return the command line of each process."""
    return [text for text in map(_command_line, Path("/proc").glob("[0-9]*/cmdline")) if text]


def _command_line(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        # The process has ended since.
        return ""


def prune(home: Path) -> list[str]:
    """Remove the builds that are not used; return their names."""
    paths = unused(home, command_lines())
    for path in paths:
        (path / BUILD).unlink(missing_ok=True)
        shutil.rmtree(path)
    return [path.name for path in paths]
