# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Texts without the secrets of the addresses in them: what programs write ends up on screens and in the journal."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

# A password may hold a raw `@`: the host begins after the last one.
USER_INFO = re.compile(r"//[^/?#\s]*@")
ENCODED_USER_INFO = re.compile(r"%2f%2f(?:(?!%2f|%3f|%23)[^/?#\s])*%40", re.IGNORECASE)
SECRET_PARAMETER = re.compile(
    r"([?&;][^=&;#\s]*(?:token|key|secret|sig|pass|pwd|auth|cred|session|jwt)[^=&;#\s]*=)[^&#\s\"'<>]+", re.IGNORECASE
)
# Shorter ones are words of any text. In their place in an address they are found all the same.
SHORTEST_SECRET_CHARACTERS = 4
MASK = "***"
# A user of at least this length, beside a password, is taken for a token.
TOKEN_CHARACTERS = 8
# Up to the last @ before the path: a password may hold one.
ADDRESS_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<info>[^/\s]*)@")
ADDRESS_QUERY = re.compile(r"(?P<address>[A-Za-z][A-Za-z0-9+.-]*://[^\s?'\"]*)\?[^\s'\"]+")


def hide_secrets(text: str) -> str:
    """Return a text without the secrets of its addresses: user and password, and what follows a question mark.

    The user of an ssh address stays, since it is no secret there; a token may be the user of any other address.
    """
    return ADDRESS_QUERY.sub(r"\g<address>?…", ADDRESS_USER_INFO.sub(_hide_user, text))


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


def without_credentials(text: str, address: str = "") -> str:
    """Return `text` without the users, passwords and tokens of the addresses in it.

    The secrets of `address`, where one is given, are also masked outside of an address.
    """
    for secret in _secrets(address):
        text = text.replace(secret, MASK)
    text = ENCODED_USER_INFO.sub("%2F%2F", USER_INFO.sub("//", text))
    return SECRET_PARAMETER.sub(rf"\1{MASK}", text)


def _secrets(address: str) -> list[str]:
    """List the secrets of an address in the forms in which programs write them, longest first."""
    user_info = urlsplit(address).netloc.rpartition("@")[0]
    user, _colon, password = user_info.partition(":")
    parameters = [value for name, value in parse_qsl(urlsplit(address).query) if SECRET_PARAMETER.match(f"?{name}=x")]
    # A user without a password is a token.
    words = [password or user, *parameters]
    forms = {form for word in words for form in (word, unquote(word), quote(unquote(word), safe=""))}
    return sorted((form for form in forms if len(form) >= SHORTEST_SECRET_CHARACTERS), key=len, reverse=True)
