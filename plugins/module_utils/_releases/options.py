# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .git import refs
from .model import ReleaseError, Wanted

STRATEGIES = ("releases", "in_place")
# pip and uv take a directory for several at a blank or a comma.
INDEX = re.compile(r"(?:https?|file)://\S+|/[^\s,]+")
STATES = ("present", "prepared", "deployed", "reverted")


def shared_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options that both modules have."""
    return {
        "name": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "ref": {"type": "str"},
        "status_file": {"type": "path"},
    }


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options of the module `releases`."""
    return {
        **shared_argument_spec(),
        "state": {"type": "str", "choices": list(STATES), "default": "deployed"},
        "repo": {"type": "str"},
        "commit": {"type": "str"},
        "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "releases"},
        "keep": {"type": "int", "default": 5},
        "shared_paths": {"type": "list", "elements": "str", "default": ["public/system"]},
        "pre_deploy": {"type": "str"},
        "post_deploy": {"type": "str"},
        "test": {"type": "str"},
        "restart_file": {"type": "str", "default": "public/system/restart"},
        "reload_timeout": {"type": "float"},
        "hook_timeout": {"type": "float", "default": 3600},
        "python": {"type": "str", "default": "python3"},
        "uv": {"type": "path"},
        "index": {"type": "str", "no_log": True},
        "force": {"type": "bool", "default": False},
        "steps": {"type": "int", "default": 1},
        "to": {"type": "str"},
        "by": {"type": "str"},
        "lock_wait": {"type": "float", "default": 0},
    }


def read(given: Mapping[str, Any]) -> Wanted:
    """Check the module's arguments and give them their types; an empty text is an absent one.

    Raises ReleaseError that names the option.
    """
    wanted = Wanted(
        **{
            **{option: given[option] or None for option in ("repo", "ref", "commit", "to", "uv", "index")},
            **{option: given[option] or None for option in ("pre_deploy", "post_deploy", "test")},
            **{option: given[option] for option in ("name", "state", "strategy", "keep", "force", "steps")},
            **{option: given[option] for option in ("restart_file", "reload_timeout", "hook_timeout", "lock_wait")},
        },
        python=_program(given["python"]),
        path=Path(given["path"]),
        shared_paths=tuple(str(PurePosixPath(entry)) for entry in given["shared_paths"] if entry),
        status_file=Path(given["status_file"]) if given["status_file"] else None,
        by=given["by"] or getpass.getuser(),
    )
    check(wanted)
    return wanted


def check(wanted: Wanted) -> None:
    """Raise ReleaseError when an option has a value that cannot be meant."""
    for option, least in (("keep", 1), ("steps", 1), ("reload_timeout", 0), ("hook_timeout", 0), ("lock_wait", 0)):
        value = getattr(wanted, option)
        if value is not None and value < least:
            raise ReleaseError(f"{option} is {value}", f"it must be {least} or more")
    if not wanted.path.is_absolute() or not str(wanted.path).isprintable():
        raise ReleaseError(f"path is {str(wanted.path)!r}", "it must begin with / and have no control characters")
    if ":" in str(wanted.path):
        raise ReleaseError(
            f"path is {str(wanted.path)!r}", "it must have no ':', which would cut the hooks' PATH in two"
        )
    for entry in wanted.shared_paths:
        _check_shared(entry)
    if ".." in PurePosixPath(wanted.restart_file).parts or not wanted.restart_file:
        raise ReleaseError(
            f"restart_file is {wanted.restart_file!r}",
            "it must be absolute, or a path inside the release, and without '..'",
        )
    if wanted.repo:
        refs.check_repo(wanted.repo)
    if wanted.ref:
        refs.check(wanted.ref)
    _check_index(wanted.index)
    if wanted.commit and not refs.is_full(wanted.commit):
        raise ReleaseError(f"commit is {wanted.commit!r}", "it must be a full sha; give anything else as ref")


def _check_index(index: str | None) -> None:
    if index and not INDEX.fullmatch(index):
        # It may hold a password, so it is not told.
        raise ReleaseError(
            "index is no address", "it must begin with https://, http:// or file://, or be an absolute path"
        )


def _check_shared(entry: str) -> None:
    parts = PurePosixPath(entry).parts
    if entry == "." or entry.startswith("/") or ".." in parts or parts[0] in {".git", ".venv"}:
        raise ReleaseError(f"shared_paths has {entry!r}", "each entry is a path inside the repository")


def _program(python: str | None) -> str:
    return shutil.which(python or "python3") or python or "python3"
