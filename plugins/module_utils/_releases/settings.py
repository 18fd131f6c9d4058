# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

DECIDING = re.compile(
    r"(?:PIP|UV)_(?:.*INDEX.*|FIND_LINKS|CONSTRAINT|BUILD_CONSTRAINT|OVERRIDE|PRE|PRERELEASE|RESOLUTION|EXCLUDE_NEWER"
    r"|NO_BINARY|ONLY_BINARY|NO_BUILD|NO_DEPS)"
)
# Their values are paths of files.
NAMING_FILES = re.compile(r"(?:PIP|UV)_(?:(?:BUILD_)?CONSTRAINT|OVERRIDE|CONFIG_FILE)")
CREDENTIALS = re.compile(r"//[^/\s@]*@")


def without_credentials(text: str) -> str:
    """Take names and passwords out of the addresses in `text`."""
    return CREDENTIALS.sub("//", text)


def own(index: str | None) -> dict[str, str]:
    """Return the variables that have pip and uv look at a project's own index: an address, or a directory of wheels.

    Variables, since an address may hold a password, and arguments are for all to see.
    """
    if index is None:
        return {}
    if index.startswith("/"):
        return {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "PIP_FIND_LINKS": index, "UV_FIND_LINKS": index}
    return {"PIP_NO_INDEX": "0", "UV_NO_INDEX": "0", "PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick the settings that decide which packages are installed and where from, without passwords, which change."""
    chosen = {name: value for name, value in environ.items() if DECIDING.fullmatch(name) and "PASSWORD" not in name}
    return {name: without_credentials(value) for name, value in sorted(chosen.items())}


def files(environ: Mapping[str, str]) -> list[str]:
    """List the files in which pip and uv look for their settings, and those that variables name; few exist."""
    home = environ.get("HOME", "/")
    own = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    pip = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", f"{home}/.pip/pip.conf", f"{own}/pip/pip.conf"]
    uv = ["/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml", f"{own}/uv/uv.toml"]
    named = [path for name, value in sorted(environ.items()) if NAMING_FILES.fullmatch(name) for path in value.split()]
    return [*pip, *uv, *named]


def read_files(environ: Mapping[str, str], release: Path) -> dict[str, str]:
    """Return a hash of each such file that exists, as it is when seen from `release`; passwords do not count."""
    found = ((path, release / path) for path in files(environ))
    return {name: _digest(path) for name, path in found if path.is_file() and os.access(path, os.R_OK)}


def _digest(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()
