# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Public keys that log in: lines of authorized_keys, and which of them a user is given."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Options may come before it, a comment behind it.
KEY = re.compile(r"(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[\w@.-]+)\s+(?P<key>AAAA[\w+/]+=*)(?:[ \t]+(?P<comment>.*))?")


@dataclass(frozen=True)
class PublicKey:
    """A public key; the comment does not count when keys are compared."""

    kind: str
    key: str
    comment: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from another key."""
        return self.kind, self.key

    @property
    def fingerprint(self) -> str:
        """The form in which ssh and sshd name the key."""
        digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def line(self) -> str:
        """Return it as a line of authorized_keys."""
        return f"{self.kind} {self.key} {self.comment}".strip()

    def describe(self) -> str:
        """Return how messages name it."""
        return f"{self.fingerprint} {self.comment}".strip()


def parse(text: str) -> list[PublicKey]:
    """Read the keys of an authorized_keys file, of a .pub file, or of what `ssh-add -L` prints."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = (KEY.search(line) for line in lines)
    return [PublicKey(one["kind"], one["key"], (one["comment"] or "").strip()) for one in found if one]


def select(offered: Iterable[PublicKey], accepted: Iterable[PublicKey]) -> list[PublicKey]:
    """Return the keys that let the controller in: those it can offer that the server accepts for the login.

    Where that shows none, as with certificates or keys from a directory service, all that it offers.
    """
    unique: dict[tuple[str, str], PublicKey] = {}
    for key in offered:
        unique.setdefault(key.identity, key)
    both = unique.keys() & {key.identity for key in accepted}
    return [key for key in unique.values() if not both or key.identity in both]


def lacking(wanted: Iterable[PublicKey], text: str) -> list[PublicKey]:
    """Return those of the keys that an authorized_keys file does not have."""
    present = {key.identity for key in parse(text)}
    return [key for key in wanted if key.identity not in present]


def extended(text: str, keys: Iterable[PublicKey]) -> str:
    """Return an authorized_keys file with keys added at its end, whether or not its last line was ended."""
    start = text if not text or text.endswith("\n") else f"{text}\n"
    return start + "".join(f"{key.line()}\n" for key in keys)
