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
