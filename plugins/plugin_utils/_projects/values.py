# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of value that a key may have: what is accepted, and how the text of a deploy.conf line becomes a value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT = 65535
MAX_DESCRIPTION_CHARACTERS = 60
FLAGS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
# An absolute path below a directory that many share, such as /srv, and outside of those of the system.
BELOW_SHARED = re.compile(r"/+(?!(?:bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|usr)/)[^/]+/+[^/].*")
# Of an address. A password may have any character.
CREDENTIALS = re.compile(r"(?<=//)\S*@")
SOCKET_PATH_BYTES = 108  # the kernel's limit for the path of a unix socket, its final NUL included


@dataclass(frozen=True)
class ValueType:
    """`expected` completes the sentence "must be …"; `parse` turns the text of a deploy.conf line into a value.

    `normal` gives a value that is accepted the one form in which it is compared, written and shown.
    """

    expected: str
    accepts: Callable[[object], bool]
    parse: Callable[[str], object] = str
    normal: Callable[[object], object] = lambda value: value


def describe_value(value: object) -> str:
    """Return a short description of a wrong value, for the person who wrote it, without a password of an address."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (str, int, float, list)):
        text = CREDENTIALS.sub("***@", repr(value))
        return text if len(text) <= MAX_DESCRIPTION_CHARACTERS else text[:MAX_DESCRIPTION_CHARACTERS] + "…"
    return "a value of another type"


def is_template(value: object) -> bool:
    """Return whether Ansible fills this in later, so that its form cannot be checked yet."""
    return isinstance(value, str) and "{{" in value


def is_text(value: object) -> bool:
    """Accept any text that is not blank."""
    return isinstance(value, str) and value.strip() != ""


def is_whole(value: object) -> bool:
    """Accept an int; a bool, which is one to Python, is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Accept an int or a float."""
    return is_whole(value) or isinstance(value, float)


def matching(pattern: str) -> Callable[[object], bool]:
    """Return a test for text that `pattern` matches as a whole."""
    compiled = re.compile(pattern)
    return lambda value: is_template(value) or (isinstance(value, str) and compiled.fullmatch(value) is not None)


def between(least: float, most: float, test: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a test for a number from `least` to `most`."""
    return lambda value: test(value) and isinstance(value, (int, float)) and least <= value <= most


def at_least(least: float, test: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a test for a number that is `least` or more."""
    return between(least, math.inf, test)


def listing(test: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a test for a non-empty list whose every item passes `test`."""
    return lambda value: isinstance(value, list) and value != [] and all(test(item) for item in value)


def is_absolute(value: object) -> bool:
    """Accept an absolute path other than the root."""
    return is_template(value) or (isinstance(value, str) and re.fullmatch(r"/+[^/\0\n][^\0\n]*", value) is not None)


def is_tree(value: object) -> bool:
    """Accept an absolute path that can be part of PATH, as that of a release's programs is."""
    return is_absolute(value) and (is_template(value) or (":" not in str(value) and str(value).isprintable()))


def is_within(value: object) -> bool:
    """Accept a path, relative or absolute, without `..`."""
    return is_text(value) and ".." not in PurePosixPath(str(value)).parts


def is_inside(value: object) -> bool:
    """Accept a relative path that stays below where it starts."""
    if not isinstance(value, str) or value.strip() != value or value == "":
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts and path.parts != ()


def is_writable(value: object) -> bool:
    """Accept an absolute path below a directory such as /srv, and not one of the system's own."""
    if is_template(value):
        return True
    below = isinstance(value, str) and value.isprintable() and BELOW_SHARED.fullmatch(value) is not None
    return below and is_within(value) and "." not in str(value).split("/")


def normal_path(value: object) -> object:
    """Return a path without needless slashes and dots. What `..` leads to depends on links, so it stays."""
    if not isinstance(value, str) or is_template(value):
        return value
    parts = [part for part in value.split("/") if part not in {"", "."}]
    return ("/" if value.startswith("/") else "") + "/".join(parts)


def normal_paths(value: object) -> object:
    """Return a list of paths in their normal form."""
    return [normal_path(path) for path in value] if isinstance(value, list) else value


def normal_shared(value: object) -> object:
    """Return the paths of shared_paths in their normal form: with / at the end, one is a directory."""
    return [_normal_shared_path(path) for path in value] if isinstance(value, list) else value


def _normal_shared_path(path: object) -> str:
    return f"{normal_path(path)}{'/' if str(path).endswith('/') else ''}"


def normal_bind(value: object) -> object:
    """Return an address with its path or its port in the normal form, as procmon reports it."""
    text = str(value)
    if is_template(text):
        return value
    if text.startswith("unix:"):
        return f"unix:{normal_path(text[len('unix:') :])}"
    return re.sub(r":0+(?=[1-9]\d*$)", ":", text)


def is_bind(value: object) -> bool:
    """Accept `host:port`, `[ipv6]:port` and `unix:/path`."""
    if is_template(value):
        return True
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"unix:/\S+", text):
        return len(text.encode()) < len("unix:") + SOCKET_PATH_BYTES
    match = re.fullmatch(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(\d{1,5})", text)
    return match is not None and 1 <= int(match[1]) <= MAX_PORT


def is_memory(value: object) -> bool:
    """Accept a number of bytes, or text with a unit, as procmon does."""
    if isinstance(value, str):
        return re.fullmatch(r"[1-9]\d*[MG]", value) is not None
    return at_least(1 << 20, is_whole)(value)


def is_environment_value(value: object) -> bool:
    """Accept text, an int, or a vaulted value of Ansible's own type; not what YAML makes of yes or 1.10."""
    return value is not None and not isinstance(value, (bool, float, dict, list))


def number(text: str) -> object:
    """Return the number that `text` is, or `text` itself when it is none: validation reports it."""
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        return text


def flag(text: str) -> object:
    """Return the bool that `text` means, or `text` itself when it means none."""
    return FLAGS.get(text.lower(), text)


def scalar(text: str) -> object:
    """Return what YAML would make of `text`: a number, a bool, or text."""
    read = number(text)
    return flag(text) if read == text else read


def is_index(value: object) -> bool:
    """Accept an address, an absolute path, or a vaulted value: an address may hold a password."""
    if not isinstance(value, str):
        return is_environment_value(value) and not is_whole(value)
    # pip and uv split a directory at a blank or a comma.
    return is_template(value) or re.fullmatch(r"(?:https?|file)://\S+|/[^\s,]+", value) is not None


def is_plain(value: object) -> bool:
    """Accept what TOML, and so procmon's configuration, can hold: at any depth, anything but null."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(item) for name, item in value.items())
    return all(map(is_plain, value)) if isinstance(value, list) else value is not None


def seconds(least: float, most: float = 86400) -> ValueType:
    """Return the type of a duration from `least` to `most` seconds."""
    return ValueType(f"a number of seconds from {least:g} to {most:g}", between(least, most, is_number), number)


def choice(*allowed: str) -> ValueType:
    """Return the type of a word that is one of `allowed`."""
    return ValueType(" or ".join(allowed), lambda value: value in allowed)


TEXT = ValueType("a string that is not blank", is_text)
WORD = ValueType("a string without whitespace", matching(r"\S+"))
# git would read the rest as an option, or as a command to run.
REF = ValueType("a branch, a tag or a commit", matching(r"(?!-)\S+"))
REPO = ValueType("an ssh or https URL or a path, without whitespace", matching(r"(?!-|[A-Za-z0-9]+::)\S+"))
SERVER = ValueType("a host name or an address", matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-fA-F:]*:[0-9a-fA-F:.]*"))
SERVERS = ValueType("a list of host names", listing(SERVER.accepts), str.split)
FLAG = ValueType("yes or no", lambda value: isinstance(value, bool), flag)
COUNT = ValueType("an integer >= 1", at_least(1, is_whole), number)
WORKERS = ValueType("an integer from 1 to 512", between(1, 512, is_whole), number)
PORT = ValueType(
    f"a port number from 1 to {MAX_PORT}", lambda value: is_whole(value) and value in range(1, MAX_PORT + 1), number
)
WHOLE_SECONDS = ValueType("an integer >= 0 (seconds)", at_least(0, is_whole), number)
ABSOLUTE = ValueType("an absolute path", is_absolute, normal=normal_path)
TREE = ValueType("an absolute path without ':'", is_tree, normal=normal_path)
WITHIN = ValueType("a path without '..'", is_within, normal=normal_path)
INSIDE = ValueType("a list of relative paths without '..'", listing(is_inside), str.split, normal_shared)
WRITABLE = ValueType(
    "a list of absolute paths such as /srv/uploads, without '..'", listing(is_writable), str.split, normal_paths
)
BIND = ValueType("host:port or unix:/path", is_bind, normal=normal_bind)
APP = ValueType("module:attribute, such as blog.main:app", matching(r"[\w.]+:[\w.]+(\(\))?"))
# It is printed.
ADDRESS = ValueType(
    "a URL without a user and a password, such as https://www.example.com", matching(r"https?://(?![^/?#]*@)[!-~]+")
)
URL_PATH = ValueType("a path that starts with '/'", matching(r"/[!-~]*"))
MEMORY = ValueType("a number of bytes >= 1048576, or a size such as 300M or 2G", is_memory, number)
STATUSES = ValueType(
    "a list of HTTP status codes, such as [200, 302]",
    listing(lambda value: is_whole(value) and value in range(100, 600)),
    lambda text: [number(word) for word in text.split()],
)
ENVIRONMENT_VALUE = ValueType("a string (put quotes around yes, no and decimal numbers)", is_environment_value)
INDEX = ValueType("a URL such as https://pypi.example.com/simple, or an absolute path", is_index)
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
ANYTHING = ValueType("a value", is_plain, scalar)
