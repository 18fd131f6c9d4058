# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Taking a project from a server: what setup and deploys have made for it, found and removed under the deploy lock."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .._releases.errors import ReleaseError, as_failure
from .._releases.git import deploy_key
from .._releases.model import ProjectPaths
from .._releases.records import lock
from .._releases.system.run import Run
from .._setup import directories
from .._setup.as_user import acting_as

UNITS = Path("/etc/systemd/system")
# With one of these a directory is what a deploy or the original script has made.
MARKS = ("source", "current", "releases", ".deploys")
# Where setup has not come to its end, there may be these alone. The lock is first: without it they may be another's.
LOCK = ".deploy.lock"
BEGUN = (
    LOCK,
    "source",
    "configs",
    "envs",
    "shared",
    "procmon.toml",
    "procmon.env",
    ".deploys.jsonl",
    ".deploy.progress",
)
# What a user needs who builds environments without root, made before the lock.
OWN_TOOLS = ".uv"
MAX_NAMES = 3


@dataclass(frozen=True)
class Project:
    """A project on this server. `config_dir` and `state_dir` are procmon's; without `systemd` it has no unit.

    Without `user`, it is the project of the user who runs this.
    """

    name: str
    path: Path
    config_dir: Path
    state_dir: Path
    systemd: bool
    by: str
    user: str = ""

    @property
    def account(self) -> pwd.struct_passwd | None:
        """The project's user; None for one who is gone."""
        try:
            return pwd.getpwnam(self.user) if self.user else pwd.getpwuid(os.geteuid())
        except KeyError:
            return None

    @property
    def units(self) -> tuple[str, str]:
        """The socket first: it would start the service again."""
        return f"procmon@{self.name}.socket", f"procmon@{self.name}.service"


def own_files(project: Project) -> list[Path]:
    """Return the files and directories outside of the project's own directory that exist."""
    units = [UNITS / project.units[0], UNITS / f"{project.units[1]}.d"] if project.systemd else []
    found = [*units, *(project.config_dir / f"{project.name}{end}" for end in (".toml", ".env")), project.state_dir]
    return [path for path in found if os.path.lexists(path)]


def deploy_keys(project: Project) -> list[Path]:
    """Return both halves of the project's deploy key, where its user has one."""
    account = project.account
    if account is None:
        return []
    home = Path.home() if account.pw_uid == os.geteuid() else Path(account.pw_dir)
    key = deploy_key.key_file(home, project.name)
    return [path for path in (key, key.with_name(f"{key.name}.pub")) if os.path.lexists(path)]


def data(project: Project) -> list[Path]:
    """Return the project's directory if it exists. Raises ReleaseError when it is not one that setup has made."""
    path = project.path
    if not os.path.lexists(path):
        return []
    if path.is_symlink() or not path.is_dir():
        raise ReleaseError(f"{path} is not a directory", "remove it by hand if nothing needs it")
    found = _strangeness(project)
    if found:
        what = f"{path} is not the directory of a project: {found}"
        raise ReleaseError(what, "correct the key path, or remove the directory by hand")
    return [path]


def _strangeness(project: Project) -> str:
    """Return why a directory is none that setup has made, be it an unfinished one; nothing where it is one."""
    path, account = project.path, project.account
    names = [entry.name for entry in path.iterdir()]
    if any(os.path.lexists(path / mark) for mark in MARKS):
        return ""
    if not names and account and path.stat().st_uid != account.pw_uid:
        return f"it is empty, and not {account.pw_name}'s"
    others = foreign(names, has_own_tools=(path / "envs" / OWN_TOOLS).is_dir())
    more = f" and {len(others) - MAX_NAMES} more" if len(others) > MAX_NAMES else ""
    return f"it has {', '.join(others[:MAX_NAMES])}{more}, and none of {', '.join(MARKS)}" if others else ""


def foreign(names: Iterable[str], *, has_own_tools: bool) -> list[str]:
    """Return which of these names in a directory are none that setup makes before there is a clone or a release."""
    found = {*names}
    known = BEGUN if LOCK in found else ("envs",) if has_own_tools else ()
    return sorted(name for name in found if not {name, _without_marks(name)} & {*known})


def _without_marks(name: str) -> str:
    """Return the name of the file that a file with a mark of ours is about to become, or a spare of."""
    return name[1:].rpartition(".")[0] if name.startswith(".") and name.endswith((".new", ".back")) else name


@contextmanager
def before_anything_is_removed() -> Iterator[None]:
    """Add to each failure that nothing was removed."""
    try:
        yield
    except Exception as reason:
        error = as_failure(reason)
        error.now = "Nothing was removed"
        raise error from reason


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's lock, so that no deploy runs meanwhile. Raises ReleaseError that names one that does.

    A user who is gone can run none. The lock is opened and written as the user: its path may be a link by now.
    """
    file, account = ProjectPaths(project.path).lock, project.account
    with ExitStack() as stack:
        if account is not None:
            with acting_as(account):
                # Without a lock no deploy has run yet.
                if os.path.exists(file):  # noqa: PTH110 - of what the user may not see, False
                    stack.enter_context(lock.acquire(file, project.by, "remove", 0))
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
    """Remove files and directories. Raises ReleaseError for one that a link of a user leads to."""
    for path in paths:
        directories.remove(path)


def remove_keys(project: Project, keys: list[Path]) -> None:
    """Remove the deploy key as its owner: the directory that has it is the user's."""
    if project.account is not None:
        with acting_as(project.account):
            for key in keys:
                key.unlink()


def reload_units(project: Project, run: Run) -> None:
    """Make systemd forget the units that are gone, and their failures."""
    if project.systemd:
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "reset-failed", *project.units])
