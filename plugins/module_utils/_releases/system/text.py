# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Text that other programs or people wrote: its last lines, made safe for a terminal, without secrets."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

# What reaches a terminal or a log only as text: control characters, line separators, lone surrogates (bytes that are
# not UTF-8), and the marks that reverse the direction of writing.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_IN_LINES = re.compile(f"(?![\n\t]){UNSAFE.pattern}")
TOKEN_CHARACTERS = 8
BYTES = range(0xDC80, 0xDD00)
# Up to the last @ before the path: a password may hold one.
USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<info>[^/\s]*)@")
QUERY = re.compile(r"(?P<address>[A-Za-z][A-Za-z0-9+.-]*://[^\s?'\"]*)\?[^\s'\"]+")


def tail(text: str, lines: int = 20) -> str:
    """Return the last `lines` lines."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def printable(text: str) -> str:
    r"""Return a text of several lines with what a terminal would act on written as `\x1b`."""
    return UNSAFE_IN_LINES.sub(_escape, text)


def one_line(text: str, limit: int) -> str:
    r"""Return a text as one line of at most `limit` characters, with what a terminal would act on written as `\x1b`."""
    safe = UNSAFE.sub(_escape, text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def hide_secrets(text: str) -> str:
    """Return a text without the secrets of its addresses: user and password, and what follows a question mark.

    The user of an ssh address stays, since it is no secret there; a token may be the user of any other address.
    """
    return QUERY.sub(r"\g<address>?…", USER_INFO.sub(_hide_user, text))


def secrets_of(address: str) -> set[str]:
    """Return the secrets in an address, as they are written and as they are meant."""
    if "://" not in address or hide_secrets(address) == address:
        return set()
    authority, query = address.split("://", 1)[1].split("/", 1)[0], urlsplit(address).query
    user, _colon, password = authority.rpartition("@")[0].partition(":")
    # A short user beside a password is a name, and hiding it in all texts would hide parts of words.
    users = [user] if not password or ("ssh" not in address and len(user) >= TOKEN_CHARACTERS) else []
    values = [password, *users, *(pair.partition("=")[2] for pair in query.split("&"))]
    return {form for value in values if value for form in (value, unquote(value))}


def _hide_user(found: re.Match[str]) -> str:
    scheme, user = found["scheme"], found["info"].partition(":")[0]
    return f"{scheme}://{user}@" if "ssh" in scheme and user else f"{scheme}://"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in BYTES:
        return "\N{REPLACEMENT CHARACTER}"
    return found[0].encode("unicode_escape").decode("ascii")
