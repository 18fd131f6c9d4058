# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""`.deploys` and `.deploys.jsonl`: reading and appending the logs, and finding the commit to revert to."""

from __future__ import annotations

import errno
import json
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from typing import Any

from ..errors import ReleaseError
from ..system import files

# Short, or full with SHA-1 or SHA-256.
COMMIT = re.compile(r"[0-9a-f]{4,40}|[0-9a-f]{64}")
SHOWN_CHARACTERS = 12
# The fewest characters of a commit that `to` accepts.
SHORTEST_CHARACTERS = 4
MAX_LISTED = 20


def parse_deploys(text: str) -> list[str]:
    """Return the commits of `.deploys`, oldest first: the first field of each line that is a sha.

    Text after a blank, CRLF and other lines are ignored: other tools append to this file too.
    """
    fields = (line.split(maxsplit=1)[0].lower() for line in text.splitlines() if line.strip())
    return [field for field in fields if COMMIT.fullmatch(field)]


def parse_journal(text: str) -> list[dict[str, Any]]:
    """Return the journal's entries, oldest first, without lines that were cut short by a crash."""
    return [entry for entry in map(_entry, text.splitlines()) if entry]


def same(one: str, other: str) -> bool:
    """Return whether two shas, full or short, mean the same commit."""
    return one.startswith(other) or other.startswith(one)


def without_repeats(commits: Iterable[str]) -> list[str]:
    """Return the commits without equal neighbours."""
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
    with path.open("a+b", buffering=0) as file:
        _append(path, file, short)


def append_entry(path: Path, entry: Mapping[str, object]) -> None:
    """Add an attempt to the journal, on disk when this returns. Its errors quote what hooks and the app print."""
    with files.open_private(path) as file:
        _append(path, file, json.dumps(entry, sort_keys=True))


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


def _append(path: Path, file: RawIOBase, line: str) -> None:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 1, 0))
    # A crash or a full disk may have left a line without its end: start a new one.
    start = b"\n" if end and file.read(1) != b"\n" else b""
    try:
        _write_whole(file, start + line.encode() + b"\n")
        if not end:
            files.sync_directory(path.parent)
    except OSError:
        # Half a line could be read as a whole one: half a sha is a short sha.
        os.truncate(path, end)
        raise


def steps_back(lines: Sequence[str], live: str | None, steps: int) -> str:
    """Return the commit `steps` lines before the live one; neighbours with one commit count as one line.

    Raises ReleaseError when the log is too short.
    """
    known = without_repeats(lines)
    index = _position(known, live) - steps
    if index < 0:
        earlier = _position(known, live)
        number = f"only {earlier} earlier deploy" if earlier else "no earlier deploy"
        found = f"{number}{'s are' if earlier > 1 else ' is'} logged"
        raise ReleaseError(f"cannot go back {_count(steps, 'step')}: {found}", format_log(known, live))
    return known[index]


def find(lines: Sequence[str], commit: str) -> str:
    """Return the line of the log that means `commit`.

    Raises ReleaseError when it was never live here, is too short, or is ambiguous.
    """
    if len(commit) < SHORTEST_CHARACTERS:
        raise ReleaseError(f"to is {commit!r}", f"use at least {SHORTEST_CHARACTERS} characters of a commit")
    found = without_repeats(sorted(line for line in lines if same(line, commit.lower())))
    if not found:
        raise ReleaseError(f"{commit} has never been live here", format_log(without_repeats(lines)))
    if len(found) > 1:
        raise ReleaseError(f"{commit} is ambiguous: it could be {' or '.join(found)}", "use more characters of it")
    return found[0]


def format_log(lines: Sequence[str], live: str | None = None) -> str:
    """Format the newest lines of the log for a message, oldest first as in the file, with the live one marked."""
    at = _live_index(lines, live)
    shown = [f"{line} (live)" if index == at else line for index, line in enumerate(lines)]
    older = ["..."] if len(shown) > MAX_LISTED else []
    return f"the log, oldest first: {' '.join([*older, *shown[-MAX_LISTED:]])}" if shown else "the log is empty"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _live_index(known: Sequence[str], live: str | None) -> int | None:
    """Return the index of the last line with the live commit, None when it has none."""
    found = [index for index, line in enumerate(known) if live and same(line, live)]
    return found[-1] if found else None


def _position(known: Sequence[str], live: str | None) -> int:
    """Return the index of the live line; one past the end of the log when it is not there."""
    index = _live_index(known, live)
    return len(known) if index is None else index
