# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the functions are called with: each value has a type, which is checked before anything is started. Pure.

Ansible would take much of it for something else: of bytes it makes the text "b'…'", and any text is true.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .errors import ArgumentError

MAX_CHARACTERS = 60


@dataclass(frozen=True)
class Type:
    """`expected` completes the sentence "It must be …"."""

    expected: str
    accepts: Callable[[object], bool]


def is_text(value: object) -> bool:
    """Accept text that is UTF-8: Ansible cannot pass any other on."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def is_count(value: object) -> bool:
    """Accept a whole number from 1 on; to Python True is one."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_texts(value: object) -> bool:
    """Accept a text, or several of them, that are no mapping."""
    if isinstance(value, (bytes, bytearray, Mapping)):
        return False
    return isinstance(value, Collection) and all(map(is_text, value))


def or_none(one: Type) -> Type:
    """Return a type that also has None."""
    return Type(f"{one.expected}, or None", lambda value: value is None or one.accepts(value))


TEXT = Type("a string of UTF-8", is_text)
FLAG = Type("True or False", lambda value: isinstance(value, bool))
COUNT = or_none(Type("a whole number, 1 or more", is_count))
PATH = or_none(Type("a string or a pathlib.Path", lambda value: isinstance(value, (str, os.PathLike))))
FUNCTION = or_none(Type("a function", callable))
TYPES: Mapping[str, Type] = MappingProxyType(
    {
        "command": TEXT,
        "project": TEXT,
        "ref": or_none(TEXT),
        "to": or_none(TEXT),
        "steps": COUNT,
        "at_once": COUNT,
        "force": FLAG,
        "test": FLAG,
        "hooks": FLAG,
        "keep_config": FLAG,
        "check": FLAG,
        "config": PATH,
        "artifacts": PATH,
        "servers": Type("a string, or a list of strings", is_texts),
        "on_event": FUNCTION,
        "on_output": FUNCTION,
    }
)


def require(**given: object) -> None:
    """Raise ArgumentError for a value of a wrong type. The names are those of TYPES."""
    for name, value in given.items():
        if not TYPES[name].accepts(value):
            raise ArgumentError(f"{name} is {describe(value)}. It must be {TYPES[name].expected}.")


def describe(value: object) -> str:
    """Return a value with its type, in a few words."""
    text = repr(value)
    shown = text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
    return shown if value is None else f"{shown} ({type(value).__name__})"


def require_plain(variables: Mapping[str, object]) -> None:
    """Raise ArgumentError for a variable that Ansible cannot be given. Its value may be a secret, and is not shown."""
    for name, value in variables.items():
        found = problem_in(value)
        if found:
            raise ArgumentError(
                f"{name} has {found}. A variable is text in UTF-8, a number, True, False, None, a path, or a list or a "
                "mapping of these."
            )


def problem_in(value: object) -> str:
    """Return what Ansible cannot be given in a value; an empty text where there is nothing."""
    if isinstance(value, str):
        return "" if is_text(value) else "a byte that is not UTF-8"
    if isinstance(value, Mapping):
        return next(filter(None, map(problem_in, [*value, *value.values()])), "")
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(problem_in, value)), "")
    plain = value is None or isinstance(value, (bool, int, float, os.PathLike))
    return "" if plain else f"a value of the type {type(value).__name__}"
