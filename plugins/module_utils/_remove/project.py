# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Taking a project from a server: what setup and deploys have made for it, found and removed under the deploy lock."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .._releases.errors import ReleaseError
from .._releases.git import deploy_key
from .._releases.model import ProjectPaths
from .._releases.records import lock
from .._releases.system.run import Run

UNITS = Path("/etc/systemd/system")
# A directory with none of these is not what a deploy or the original script has made.
MARKS = ("source", "current", "releases", ".deploys")


@dataclass(frozen=True)
class Project:
    """A project on this server. `config_dir` and `state_dir` are procmon's; without `systemd` it has no unit."""

    name: str
    path: Path
    config_dir: Path
    state_dir: Path
    systemd: bool
    by: str

    @property
    def units(self) -> tuple[str, str]:
        """The socket first: it would start the service again."""
        return f"procmon@{self.name}.socket", f"procmon@{self.name}.service"


def own_files(project: Project) -> list[Path]:
    """Return the files and directories outside of the project's own directory that exist."""
    units = [UNITS / project.units[0], UNITS / f"{project.units[1]}.d"] if project.systemd else []
    found = [*units, *(project.config_dir / f"{project.name}{end}" for end in (".toml", ".env")), project.state_dir]
    return [path for path in found if os.path.lexists(path)]


def deploy_keys(name: str, user: str) -> list[Path]:
    """Return both halves of the project's deploy key, where its user has one."""
    own = user in {"", pwd.getpwuid(os.geteuid()).pw_name}
    home = Path.home() if own else Path(os.path.expanduser(f"~{user}"))  # noqa: PTH111  it keeps an unknown name
    key = deploy_key.key_file(home, name)
    return [path for path in (key, key.with_name(f"{key.name}.pub")) if path.is_absolute() and os.path.lexists(path)]


def data(project: Project) -> list[Path]:
    """Return the project's directory if it exists. Raises ReleaseError when it is not one that deploys have made."""
    if not os.path.lexists(project.path):
        return []
    if project.path.is_symlink() or not project.path.is_dir():
        raise ReleaseError(f"{project.path} is not a directory", "remove it by hand if nothing needs it")
    if any(project.path.iterdir()) and not any(os.path.lexists(project.path / mark) for mark in MARKS):
        raise ReleaseError(
            f"{project.path} is not the directory of a project: it has none of {', '.join(MARKS)}",
            "correct the key path, or remove the directory by hand",
        )
    return [project.path]


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's lock, so that no deploy runs meanwhile. Raises ReleaseError that names one that does."""
    file = ProjectPaths(project.path).lock
    if not file.exists():
        # No deploy has run yet; a lock that root creates would shut out the project's user.
        yield
        return
    with lock.acquire(file, project.by, "remove", 0):
        yield


def enabled_units(project: Project, run: Run) -> list[str]:
    """Return the units of the project that run, or that a reboot would start."""
    if not project.systemd:
        return []
    return [unit for unit in project.units if _is(run, "is-active", unit) or _is(run, "is-enabled", unit)]


def _is(run: Run, question: str, unit: str) -> bool:
    return run(["systemctl", "--quiet", question, unit]).rc == 0


def stop(units: list[str], run: Run) -> None:
    """Stop and disable units; procmon lets requests in flight end. Raises ReleaseError when systemd cannot."""
    if not units:
        return
    for argv in (["systemctl", "disable", *units], ["systemctl", "stop", *units]):
        done = run(argv)
        if done.rc:
            raise ReleaseError(f"{' '.join(argv)} failed", "see journalctl on the server", done.err or done.out)


def remove(paths: list[Path]) -> None:
    """Remove files and directories."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def reload_units(project: Project, run: Run) -> None:
    """Make systemd forget the units that are gone, and their failures."""
    if project.systemd:
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "reset-failed", *project.units])
