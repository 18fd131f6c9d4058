# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Files of variables: read for the hooks with the syntax that procmon has for the workers, and written in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import ReleaseError

STORABLE = re.compile(r"[^\0\ud800-\udfff]*")
LINE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)")


def read(path: Path) -> Mapping[str, str]:
    """Read a file of variables. Raises ReleaseError, without any value, when it cannot be read."""
    try:
        return parse(path.read_bytes().decode())
    except (OSError, ValueError) as error:
        raise ReleaseError(
            f"env_file {path} cannot be read: {error}",
            "create it on the server, let the project's user read it, or correct that line",
        ) from error


def parse(text: str) -> Mapping[str, str]:
    """Parse lines of KEY=value: "..." as in JSON, '...' literally, # begins a comment line. Raises ValueError."""
    found: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        matched = LINE.fullmatch(line)
        if matched is None or "\0" in line:
            raise ValueError(f"line {number} must be KEY=value")
        found[matched[1]] = _unquote(matched[2], number)
    return found


def render(variables: Mapping[str, object]) -> str:
    """Return variables as such a text, one `NAME="value"` per line."""
    return "".join(f"{name}={json.dumps(str(value), ensure_ascii=False)}\n" for name, value in variables.items())


def _unquote(value: str, number: int) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if not value.startswith('"'):
        return value
    try:
        found = str(json.loads(value))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}: {error.msg} in a quoted value") from error
    if not STORABLE.fullmatch(found):
        raise ValueError(f"line {number}: no environment can hold such a value")
    return found
