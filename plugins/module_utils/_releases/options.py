# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The module's options: their types, their defaults, and the values that are refused."""

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from . import env_file
from .errors import ReleaseError
from .git import refs
from .model import ProjectPaths

STRATEGIES = ("releases", "in_place")
STATES = ("present", "prepared", "deployed", "reverted")
# pip and uv take a directory for several at a blank or a comma.
INDEX = re.compile(r"(?:https?|file)://\S+|/[^\s,]+")
# Keys of procmon's file that follow from other options.
SET_ELSEWHERE = {
    "name": "it is the option name",
    "directory": "it follows from path",
    "restart_file": "it is the option restart_file",
    "state_dir": "it follows from status_file",
    "env_file": "it is the option env_file",
    "env": "it is the option env",
}
# The least value of each number.
MINIMUM = {"keep": 1, "steps": 1, "reload_timeout": 0, "hook_timeout": 0, "lock_wait": 0}


@dataclass(frozen=True)
class Options:
    """What one run was asked for: the checked arguments of the module. Its defaults are the module's."""

    name: str
    path: Path
    state: str = "deployed"
    repo: str | None = None
    ref: str | None = None
    commit: str | None = None
    strategy: str = "releases"
    keep: int = 5
    shared_paths: tuple[str, ...] = ("public/system",)
    pre_deploy: str | None = None
    post_deploy: str | None = None
    test: str | None = None
    config: Mapping[str, Any] | None = None
    env: str | None = None
    env_file: Path | None = None
    writable_paths: tuple[str, ...] | None = None
    restart_file: str = "public/system/restart"
    status_file: Path | None = None
    reload_timeout: float | None = None
    hook_timeout: float = 3600
    python: str = "python3"
    uv: str | None = None
    index: str | None = None
    ssh_command: str | None = None
    force: bool = False
    steps: int = 1
    to: str | None = None
    by: str = ""
    lock_wait: float = 0
    progress: str = ""

    @property
    def paths(self) -> ProjectPaths:
        return ProjectPaths(self.path)


DEFAULTS: Mapping[str, Any] = {option.name: option.default for option in fields(Options)}


def shared_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options that both modules have."""
    return {
        "name": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "ref": {"type": "str"},
        "status_file": {"type": "path"},
        "writable_paths": {"type": "list", "elements": "str"},
    }


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options of the module `releases`."""
    return {
        **shared_argument_spec(),
        "state": {"type": "str", "choices": list(STATES), "default": DEFAULTS["state"]},
        "repo": {"type": "str"},
        "commit": {"type": "str"},
        "strategy": {"type": "str", "choices": list(STRATEGIES), "default": DEFAULTS["strategy"]},
        "keep": {"type": "int", "default": DEFAULTS["keep"]},
        "shared_paths": {"type": "list", "elements": "str", "default": list(DEFAULTS["shared_paths"])},
        "pre_deploy": {"type": "str"},
        "post_deploy": {"type": "str"},
        "test": {"type": "str"},
        "config": {"type": "dict"},
        "env": {"type": "raw", "no_log": True},
        "env_file": {"type": "path"},
        "restart_file": {"type": "str", "default": DEFAULTS["restart_file"]},
        "reload_timeout": {"type": "float"},
        "hook_timeout": {"type": "float", "default": DEFAULTS["hook_timeout"]},
        "python": {"type": "str", "default": DEFAULTS["python"]},
        "uv": {"type": "path"},
        "index": {"type": "str", "no_log": True},
        "ssh_command": {"type": "str"},
        "force": {"type": "bool", "default": DEFAULTS["force"]},
        "steps": {"type": "int", "default": DEFAULTS["steps"]},
        "to": {"type": "str"},
        "by": {"type": "str"},
        "lock_wait": {"type": "float", "default": DEFAULTS["lock_wait"]},
        "progress": {"type": "str", "default": DEFAULTS["progress"]},
    }


def read(given: Mapping[str, Any]) -> Options:
    """Check the module's arguments and convert them; an empty text is an absent one.

    Raises ReleaseError that names the option.
    """
    options = Options(
        **{
            **{option: given[option] or None for option in ("repo", "ref", "commit", "to", "uv", "index")},
            **{option: given[option] or None for option in ("pre_deploy", "post_deploy", "test")},
            **{option: given[option] for option in ("name", "state", "strategy", "keep", "force", "steps")},
            **{option: given[option] for option in ("restart_file", "reload_timeout", "hook_timeout", "lock_wait")},
            "progress": given["progress"] or "",
            "ssh_command": given["ssh_command"],
        },
        python=_program(given["python"]),
        path=Path(given["path"]),
        shared_paths=tuple(_shared_path(entry) for entry in given["shared_paths"] if entry),
        config=given["config"],
        env=_env(given["env"]),
        env_file=_path(given["env_file"]),
        status_file=_path(given["status_file"]),
        writable_paths=None if given["writable_paths"] is None else tuple(given["writable_paths"]),
        by=given["by"] or getpass.getuser(),
    )
    check(options)
    return options


def check(options: Options) -> None:
    """Raise ReleaseError when an option has a value that cannot be right."""
    for option, least in MINIMUM.items():
        value = getattr(options, option)
        if value is not None and value < least:
            raise ReleaseError(f"{option} is {value}", f"it must be {least} or more")
    _check_path(options.path)
    for entry in options.shared_paths:
        _check_shared(entry)
    _check_nesting(options.shared_paths)
    _check_restart_file(options.restart_file)
    if options.repo:
        refs.check_repo(options.repo)
    if options.ref:
        refs.check(options.ref)
    _check_index(options.index)
    _check_config(options.config or {})
    if options.commit and not refs.is_full(options.commit):
        raise ReleaseError(f"commit is {options.commit!r}", "it must be a full sha; set anything else as ref")


def _check_path(path: Path) -> None:
    if not path.is_absolute() or not str(path).isprintable():
        raise ReleaseError(f"path is {str(path)!r}", "it must begin with / and have no control characters")
    if ":" in str(path):
        raise ReleaseError(f"path is {str(path)!r}", "it must have no ':', which would cut the hooks' PATH in two")


def _check_restart_file(restart_file: str) -> None:
    if ".." in PurePosixPath(restart_file).parts or not restart_file:
        remedy = "it must be absolute, or a path inside the release, and without '..'"
        raise ReleaseError(f"restart_file is {restart_file!r}", remedy)


def _check_index(index: str | None) -> None:
    if index and not INDEX.fullmatch(index):
        # The value is not shown: it may hold a password.
        remedy = "it must start with https://, http:// or file://, or be an absolute path"
        raise ReleaseError("index is not a valid URL or path", remedy)


def _check_config(config: Mapping[str, Any]) -> None:
    for key in sorted({*config} & {*SET_ELSEWHERE}):
        raise ReleaseError(f"config has {key}", f"{SET_ELSEWHERE[key]}: remove the key")


def _check_shared(entry: str) -> None:
    parts = PurePosixPath(entry).parts
    if not parts or entry.startswith("/") or ".." in parts or parts[0] in {".git", ".venv"}:
        raise ReleaseError(f"shared_paths has {entry!r}", "each entry is a path inside the repository")


def _check_nesting(entries: Iterable[str]) -> None:
    paths = [PurePosixPath(entry) for entry in entries]
    for inner in paths:
        outer = next((path for path in paths if path in inner.parents), None)
        if outer:
            found = f"shared_paths has {outer} and {inner}, but {outer} is shared with all that it contains"
            raise ReleaseError(found, f"remove {inner} from shared_paths")


def _shared_path(entry: str) -> str:
    """Return an entry in one way of writing it. A slash at its end says that it is a directory."""
    return str(PurePosixPath(entry)) + ("/" if entry.endswith("/") else "")


def _env(given: object) -> str | None:
    """Return the variables as text, which the controller sends: Ansible hides it as a whole, and no short value."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return env_file.render(given)
    raise ReleaseError("env is neither a mapping nor a text", "set names with texts")


def _path(given: str | None) -> Path | None:
    return Path(given) if given else None


def _program(python: str | None) -> str:
    return shutil.which(python or DEFAULTS["python"]) or python or DEFAULTS["python"]
