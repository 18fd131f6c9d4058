# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Reads requirements files as pip does: their encoding, their lines, the files that they include."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from ..errors import ReleaseError

# UTF-32 first: its mark for little-endian begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
CODING = re.compile(rb"^#.*coding[:=]\s*([-\w.]+)")
COMMENT = re.compile(r"(?:^|\s+)#.*$")
INCLUDE_LONG = ("--requirement", "--constraint")
INCLUDE_SHORT = ("-r", "-c")
# A requirement that is a directory or a file of the release, and not a name on an index.
LOCAL = re.compile(
    r"^(?:-e|--editable)\b|^[./]|^file:|@\s*(?:file:|\.{0,2}/)|^[\w.-]+/[^\s:]*(?:\s|$)"
    r"|^[^\s:]+\.(?:whl|zip|tar\.gz)(?:\s|$)"
)


def decode(content: bytes) -> str:
    """Return the text of a requirements file; what cannot be decoded is left to the installer to report."""
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    named = next(filter(None, map(CODING.match, content.split(b"\n")[:2])), None)
    return content.decode(_known(named[1].decode()) if named else "utf-8", "replace")


def lines(text: str) -> list[str]:
    """Split the text of a requirements file: lines joined at a backslash, comments and blank lines removed."""
    joined = [""]
    for line in text.splitlines():
        # A backslash at the end of a comment continues nothing.
        continued = line.endswith("\\") and not COMMENT.match(line)
        # After a blank, for a comment to be seen as one in the middle of what is joined.
        joined[-1] += line[:-1] if continued else f" {line}" if COMMENT.match(line) else line
        joined += [] if continued else [""]
    return [line for line in (COMMENT.sub("", line).strip() for line in joined) if line]


def is_local(requirement: str) -> bool:
    """Return whether a requirement is part of the release itself."""
    return LOCAL.search(requirement) is not None


def included(release: Path, first: str) -> list[str]:
    """List `first` and every file that it includes, directly or not, by their names inside of the release.

    Raises ReleaseError when a file that is included is missing or outside of the release.
    """
    found = [first]
    for name in found:  # grows while it is read
        found += [other for other in dict.fromkeys(_includes(release, name)) if other not in found]
    return found


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "utf-8"


def _includes(release: Path, name: str) -> Iterator[str]:
    for line in lines(decode((release / name).read_bytes())):
        for target in _targets(_words(line)) if line.startswith("-") else ():
            if "://" not in target:
                yield _inside(release, name, target)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # quotes that do not match
        return line.split()


def _targets(words: list[str]) -> Iterator[str]:
    """Yield what `-r FILE`, `-rFILE`, `--requirement FILE` and `--requirement=FILE` name, and the same for -c."""
    following = iter(words)
    for word in following:
        option, equals, value = word.partition("=")
        if word in INCLUDE_LONG or word in INCLUDE_SHORT:
            yield next(following, "")
        elif equals and option in INCLUDE_LONG:
            yield value
        elif word.startswith(INCLUDE_SHORT) and not word.startswith("--"):
            yield word[2:].lstrip("=")


def _inside(release: Path, includer: str, target: str) -> str:
    root = release.resolve()
    path = (root / includer).parent.joinpath(target).resolve()
    if root not in path.parents:
        found = f"{includer} includes {target!r}, which is outside of the release"
        raise ReleaseError(found, "move that file into the repository")
    if not path.is_file():
        raise ReleaseError(
            f"{includer} includes {target!r}, which does not exist", "commit that file, or correct the line"
        )
    return str(path.relative_to(root))
