# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Where packages come from, when a project names its own index: an address, or a directory of wheels.

An address may hold a password. It goes to uv in a variable and to pip in a netrc file, never into an argument.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..system.redaction import USER_INFO

# What every reader of netrc takes for one word.
NETRC_WORD = re.compile(r"[^\s\"'\\]+")
QUOTED = re.compile(r"[\"\\]")


def index_variables(index: str | None) -> dict[str, str]:
    """Return the variables by which pip, and uv where `index` is an address, use `index` and no other.

    For a directory uv has no variable: it needs `uv_arguments`.
    """
    if index is None:
        return {}
    if index.startswith("/"):
        return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": index}
    return {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}


def uv_arguments(index: str | None) -> list[str]:
    """Return the arguments by which uv uses a directory of wheels and no index."""
    return ["--no-index", "--find-links", index] if index and index.startswith("/") else []


@contextmanager
def hidden_credentials(index: str | None, environ: Mapping[str, str], *, quoted: bool) -> Iterator[dict[str, str]]:
    """Yield `index_variables` for pip, with what is secret in the address in a netrc file, which is removed afterwards.

    pip passes an address with its password to other pips as an argument, when it prepares the build of a package.
    """
    entry = netrc_entry(index or "", quoted=quoted)
    if index is None or entry is None:
        yield index_variables(index)
        return
    theirs = Path(environ.get("NETRC") or Path(environ.get("HOME", "/"), ".netrc"))
    with tempfile.NamedTemporaryFile(prefix="netrc-") as file:
        file.write(theirs.read_bytes() + b"\n" if os.access(theirs, os.R_OK) else b"")
        file.write(entry.encode())
        file.flush()
        yield {**index_variables(index), "PIP_INDEX_URL": USER_INFO.sub("//", index, count=1), "NETRC": file.name}


def netrc_entry(index: str, *, quoted: bool) -> str | None:
    """Return the netrc entry for an address; None when it holds no credentials, or some that netrc cannot hold.

    From Python 3.11 on a reader of netrc knows quotes (`quoted`), and a token that stands for user and password.
    """
    address = urlsplit(index)
    user, password = unquote(address.username or ""), unquote(address.password or "")
    if not address.hostname or not user:
        return None
    if quoted:
        user, password = (QUOTED.sub(r"\\\g<0>", word) for word in (user, password))
        return f'machine {address.hostname} login "{user}" password "{password}"\n'
    if not NETRC_WORD.fullmatch(user) or not NETRC_WORD.fullmatch(password):
        return None
    return f"machine {address.hostname} login {user} password {password}\n"
