# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import errno
import json
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any

from ..system import files as durable

COMMIT = re.compile(r"[0-9a-f]{4,40}")
SHOWN_CHARACTERS = 12


def parse_deploys(text: str) -> list[str]:
    """Return the commits of `.deploys`, oldest first: the first field of each line that is a sha.

    Whatever follows a blank, CRLF and stray lines are tolerated: other tools append to this file too.
    """
    fields = (line.split(maxsplit=1)[0].lower() for line in text.splitlines() if line.strip())
    return [field for field in fields if COMMIT.fullmatch(field)]


def parse_journal(text: str) -> list[dict[str, Any]]:
    """Return the journal's entries, oldest first, without lines that were cut short by a crash."""
    return [entry for entry in map(_entry, text.splitlines()) if entry]


def same(one: str, other: str) -> bool:
    """Say whether two shas of whatever length mean one commit."""
    return one.startswith(other) or other.startswith(one)


def without_repeats(commits: Iterable[str]) -> list[str]:
    """Make neighbours with one commit one."""
    kept: list[str] = []
    for commit in commits:
        if not kept or not same(kept[-1], commit):
            kept.append(commit)
    return kept


def with_one_length(commits: Iterable[str], shas: Iterable[str]) -> list[str]:
    """Return `commits` with 12 characters each: those of the one full sha in `shas` that it begins."""
    ordered = sorted(shas)
    return [(_full(commit, ordered) or commit)[:SHOWN_CHARACTERS] for commit in commits]


def _full(commit: str, ordered: list[str]) -> str | None:
    index = bisect_left(ordered, commit)
    found = [sha for sha in ordered[index : index + 2] if sha.startswith(commit)]
    return found[0] if len(found) == 1 else None


def read_deploys(path: Path) -> list[str]:
    """Read `.deploys`; an absent file is an empty one."""
    return parse_deploys(_text(path))


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read `.deploys.jsonl`; an absent file is an empty one."""
    return parse_journal(_text(path))


def append_commit(path: Path, short: str) -> None:
    """Add a line to `.deploys`, on disk when this returns."""
    _append(path, short)


def append_entry(path: Path, entry: Mapping[str, object]) -> None:
    """Add an attempt to the journal, on disk when this returns."""
    _append(path, json.dumps(entry, sort_keys=True))


def tail(text: str, lines: int = 20) -> str:
    """Return the last `lines` lines."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _write_whole(file: RawIOBase, data: bytes) -> None:
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def _append(path: Path, line: str) -> None:
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        # A crash or a full disk may have left a line without its end: ours must not be glued to it.
        start = b"\n" if end and file.read(1) != b"\n" else b""
        try:
            _write_whole(file, start + line.encode() + b"\n")
            if not end:
                durable.sync_directory(path.parent)
        except OSError:
            # Half a line may look like a whole one: half a sha is one too.
            os.truncate(path, end)
            raise
