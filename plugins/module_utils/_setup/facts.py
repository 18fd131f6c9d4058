# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Facts about a server that decide whether a project can be set up and run there. Collecting them changes nothing.

What is an obstacle is decided elsewhere, from these facts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._releases.environment.installer import SERVER_UV, works
from .._releases.environment.interpreter import ask_interpreter
from .._releases.errors import ReleaseError
from .._releases.system.run import run_command
from . import addresses, directories, git_access
from .as_user import acting_as

SYSTEMD_RUNS = Path("/run/systemd/system")


@dataclass(frozen=True)
class Asked:
    """What the facts are about: a project, and where procmon and its address are to be."""

    user: str
    admin: str
    path: Path
    packages: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    bind: str = ""
    has_units: bool = True
    units: tuple[str, ...] = ()
    home: Path = Path("/opt/procmon")


def collect(asked: Asked, question: git_access.Question, *, probe: bool) -> dict[str, Any]:
    """Return all facts that the user who runs this can see; with `probe` the git server is asked as this user."""
    git = shutil.which("git") is not None
    # A user who is setup's own login gains nothing by what setup runs.
    separate = asked.admin != asked.user
    loose = {python: loose_part(python, asked.admin) if separate else "" for python in asked.pythons}
    return {
        "time": time.time(),
        "hostname": socket.gethostname(),
        "system": operating_system(),
        "apt": shutil.which("apt-get") is not None,
        "missing_packages": missing_packages(asked.packages),
        "systemd": SYSTEMD_RUNS.is_dir(),
        "systemctl": systemctl_version(),
        "account": account(asked.user),
        "admin_keys": account(asked.admin).get("authorized", []),
        "path": path_facts(asked.path),
        "disks": [disk(path) for path in (asked.path, asked.home, Path("/usr"), Path("/tmp"))],  # noqa: S108 - only looked at
        "pythons": {python: python_version(python, loose[python]) for python in asked.pythons},
        "loose_pythons": loose,
        "bind": address_problem(asked),
        "bind_is_free": bool(asked.bind) and addresses.is_free(asked.bind),
        # Without a problem, root has seen that.
        "bind_is_own": asked.has_units and not os.geteuid(),
        "socket_directory": socket_directory(asked.bind),
        "procmon_installed": (asked.home / "current").exists(),
        "git_installed": git,
        "git": git_access.collect(question, home=Path.home(), probe=probe and git),
        "uv": find_uv(asked.path / "envs"),
    }


def operating_system() -> str:
    """Return how the system calls itself."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return os.uname().sysname
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return found.get("PRETTY_NAME", os.uname().sysname).strip('"')


def missing_packages(packages: Iterable[str]) -> list[str]:
    """Return the Debian packages that are not installed; without dpkg, none is known to be missing."""
    wanted = list(packages)
    if not wanted or not shutil.which("dpkg-query"):
        return []
    shown = "--showformat=${db:Status-Status} ${Package}\\n"
    installed = {line[len("installed ") :] for line in dpkg(shown, wanted) if line.startswith("installed ")}
    return [package for package in wanted if package not in installed]


def dpkg(shown: str, packages: list[str]) -> list[str]:
    """Return what dpkg prints about packages. It fails where one of them is not known."""
    return run_command(["dpkg-query", "--show", shown, *packages], env={"LC_ALL": "C"}).out.splitlines()


def systemctl_version() -> str:
    """Return the first line of what systemctl prints as its version; nothing without systemd."""
    if not shutil.which("systemctl"):
        return ""
    return (run_command(["systemctl", "--version"], env={"LC_ALL": "C"}).out.splitlines() or [""])[0]


def account(user: str) -> dict[str, Any]:
    """Return what is known of a user: none, or home, shell and the keys that may log in where they can be read."""
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return {"exists": False}
    home = Path(found.pw_dir)
    return {
        "exists": True,
        "home": found.pw_dir,
        "home_exists": home.is_dir(),
        "shell": found.pw_shell,
        "authorized": own_text(found, home / ".ssh/authorized_keys").splitlines(),
    }


def own_text(account: pwd.struct_passwd, file: Path) -> str:
    """Return the content of a user's file, as far as that user can read it; nothing of what is no file."""
    try:
        with acting_as(account):
            return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    except OSError:
        return ""


def path_facts(path: Path) -> dict[str, Any]:
    """Return what is at a project's path, and whether this user could write there."""
    nearest = existing(path)
    source = path / "source"
    return {
        "path": str(path),
        "nearest": str(nearest),
        "is_directory": nearest.is_dir(),
        "owner": owner(nearest) if nearest == path else "",
        "writable": os.access(nearest, os.W_OK | os.X_OK),
        "has_clone": (source / ".git").exists(),
        "source_occupied": is_occupied(source),
        "source_writable": not os.path.lexists(source) or os.access(source, os.W_OK),
        "mode": stat.S_IMODE(nearest.lstat().st_mode),
        "unsafe": directories.unsafe_link(path),
    }


def existing(path: Path) -> Path:
    """Return the path, or the nearest of those above it that exists."""
    return next(one for one in (path, *path.parents) if os.path.lexists(one))


def owner(path: Path) -> str:
    """Return the name of who owns a path, or the number of a user who is gone."""
    number = path.lstat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def is_occupied(source: Path) -> bool:
    """Return whether the place of the clone has something else."""
    try:
        return os.path.lexists(source) and not (source / ".git").exists() and not is_empty_directory(source)
    except PermissionError:
        return False


def is_empty_directory(path: Path) -> bool:
    """Return whether it is a directory with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


def disk(path: Path) -> dict[str, Any]:
    """Return the space of the file system that has a path, or will have it. A system without inodes has no limit."""
    nearest = next(one for one in (path, *path.parents) if os.path.exists(one))  # noqa: PTH110 - of what is private, False
    found = os.statvfs(nearest)
    return {
        "path": str(path),
        "device": nearest.stat().st_dev,
        "free_bytes": found.f_bavail * found.f_frsize,
        "free_inodes": found.f_favail if found.f_files else None,
        "read_only": bool(found.f_flag & os.ST_RDONLY),
    }


def python_version(python: str, loose: str) -> str:
    """Return the version of an interpreter; nothing when it cannot be run, or must not be."""
    try:
        return "" if loose else ask_interpreter(python, run_command).version
    except (ReleaseError, OSError):
        return ""


def loose_part(python: str, admin: str) -> str:
    """Return what on the way to an interpreter others than root and `admin` can change; only root has to ask.

    Links count with the directories that have them.
    """
    found = shutil.which(python)
    if os.geteuid() or found is None:
        return ""
    files = [*links(Path(found)), Path(os.path.realpath(found))]
    return next((str(part) for file in files for part in (file, *file.parents) if is_loose(part, admin)), "")


def links(path: Path) -> Iterator[Path]:
    """Yield a path, and where it leads as long as that is a link."""
    yield path
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / os.readlink(path)))  # noqa: PTH115 - as text
        yield path


def is_loose(part: Path, admin: str) -> bool:
    """Return whether a file or a directory is another user's, or everyone's."""
    mode = part.lstat().st_mode
    everyones = not stat.S_ISLNK(mode) and mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
    return everyones or owner(part) not in {"root", admin}


def socket_units() -> dict[str, str]:
    """Return the unit of each address that systemd listens on."""
    if not shutil.which("systemctl"):
        return {}
    listed = run_command(["systemctl", "list-sockets", "--full", "--no-legend", "--no-pager"], env={"LC_ALL": "C"})
    return addresses.parse_units(listed.out)


def address_problem(asked: Asked) -> str:
    """Return why the address cannot be had, as far as root can see: only root sees who has it.

    Without units, a procmon that runs already has it by right.
    """
    if not asked.bind or not asked.has_units or os.geteuid():
        return ""
    return addresses.problem(asked.bind, asked.units, socket_units())


def socket_directory(bind: str) -> str:
    """Return what is wrong with the directory of a unix socket: `missing`, `occupied`, or nothing."""
    if not bind.startswith("unix:"):
        return ""
    folder = Path(bind[len("unix:") :]).parent
    if folder.is_dir():
        return ""
    return "missing" if existing(folder).is_dir() else "occupied"


def find_uv(envs: Path) -> str:
    """Return the uv that builds the project's environments; nothing when there is none."""
    found = shutil.which("uv")
    # Root must not run what the project's user can exchange.
    own = (str(SERVER_UV), *([str(envs / ".uv/bin/uv")] if os.geteuid() else []))
    return found or next((program for program in own if works(run_command, program)), "")
