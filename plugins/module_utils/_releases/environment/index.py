# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Where packages come from: the variables of pip and uv, without passwords in arguments."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

DECIDING = re.compile(
    r"(?:PIP|UV)_(?:.*INDEX.*|FIND_LINKS|CONSTRAINT|BUILD_CONSTRAINT|OVERRIDE|PRE|PRERELEASE|RESOLUTION|EXCLUDE_NEWER"
    r"|NO_BINARY|ONLY_BINARY|NO_BUILD|NO_DEPS)"
)
# Their values are paths of files.
NAMING_FILES = re.compile(r"(?:PIP|UV)_(?:(?:BUILD_)?CONSTRAINT|OVERRIDE|CONFIG_FILE)")
# Readers of netrc do not agree on blanks, quotes and backslashes.
NETRC_WORD = re.compile(r"[^\s\"'\\]+")
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


@contextmanager
def untold(index: str | None, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give the variables of `own`, but let pip have the password of an index from a netrc file, which ends with this.

    In the address pip would tell it to all: it is an argument of the pip that gets what a package is built with.
    """
    entry = netrc_entry(index or "")
    if index is None or entry is None:
        yield own(index)
        return
    theirs = Path(environ.get("NETRC") or Path(environ.get("HOME", "/"), ".netrc"))
    with tempfile.NamedTemporaryFile("w", prefix="netrc-", encoding="utf-8") as file:
        file.write(f"{theirs.read_text(encoding='utf-8')}\n" if os.access(theirs, os.R_OK) else "")
        file.write(entry)
        file.flush()
        yield {**own(index), "PIP_INDEX_URL": without_credentials(index), "NETRC": file.name}


def netrc_entry(index: str) -> str | None:
    """Write the user and the password of an address as a line of netrc; None where it has none, or netrc cannot."""
    address = urlsplit(index)
    words = (address.hostname, unquote(address.username or ""), unquote(address.password or ""))
    if not all(word and NETRC_WORD.fullmatch(word) for word in words):
        return None
    return "machine {} login {} password {}\n".format(*words)


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
