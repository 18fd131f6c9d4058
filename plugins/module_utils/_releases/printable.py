# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Text that other programs or people wrote: its last lines, made safe for a terminal, without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What reaches a terminal or a log only as text: control characters, line separators, lone surrogates (bytes that are
# not UTF-8), and the marks that reverse the direction of writing.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_IN_LINES = re.compile(f"(?![\n\t]){UNSAFE.pattern}")
BYTES = range(0xDC80, 0xDD00)


def tail(text: str, lines: int = 20) -> str:
    """Return the last `lines` lines."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def printable(text: str) -> str:
    r"""Return a text of several lines with what a terminal would act on written as `\x1b`."""
    return UNSAFE_IN_LINES.sub(_escape, text)


def all_printable(value: object) -> object:
    """Return an answer with each text in it printable: of one with a lone surrogate, Ansible takes nothing at all."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {all_printable(name): all_printable(item) for name, item in value.items()}
    return [*map(all_printable, value)] if isinstance(value, (list, tuple)) else value


def one_line(text: str, limit: int) -> str:
    r"""Return a text as one line of at most `limit` characters, with what a terminal would act on written as `\x1b`."""
    safe = UNSAFE.sub(_escape, text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in BYTES:
        return "\N{REPLACEMENT CHARACTER}"
    return found[0].encode("unicode_escape").decode("ascii")
