# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""procmon.toml and procmon.env as text, and what differs between two of them: decisions only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import env_file
from ..errors import ReleaseError

HEADER = "# Written by onetouch.deploy with each deploy; changes made here are overwritten.\n"
SECTIONS = ("heartbeat", "reload", "worker", "uvicorn")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Wanted:
    """What a run brings.

    `settings` are procmon's, by the keys of its file, sections included; None for a project without an app. `variables`
    is the text of an env file, `env_file` the path of the project's own one, for a project that has one.
    """

    settings: Mapping[str, Any] | None
    variables: str = ""
    env_file: str | None = None


def procmon_toml(settings: Mapping[str, Any], env_path: str | None) -> str:
    """Return procmon's configuration file. Raises ReleaseError for a value that TOML cannot hold."""
    plain = {key: value for key, value in settings.items() if key not in SECTIONS}
    lines = [*_pairs({**plain, "env_file": env_path})]
    for section in SECTIONS:
        pairs = [*_pairs(settings.get(section) or {})]
        lines += ["", f"[{section}]", *pairs] if pairs else []
    return HEADER + "".join(f"{line}\n" for line in lines)


def _pairs(table: Mapping[str, Any]) -> Iterable[str]:
    """Yield one line per key; None is the same as an absent key."""
    return (f"{_key(key)} = {_value(key, value)}" for key, value in table.items() if value is not None)


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else _text(key)


def _value(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(str(name))} = {_value(key, item)}" for name, item in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(key, item) for item in value)}]"
    if isinstance(value, str):
        return _text(value)
    # TOML could hold infinity and what is no number; none of procmon's settings takes them.
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return json.dumps(value)
    raise ReleaseError(f"config has {key} = {value!r}", "set a text, a number, true or false, a list or a mapping")


def _text(value: str) -> str:
    # TOML has the escapes of JSON, and refuses DEL as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_toml(text: str) -> Mapping[str, str]:
    """Return the values of a file that `procmon_toml` has written, as text by dotted key."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ") + "."
        elif "=" in line and not line.startswith("#"):
            key, _equals, value = line.partition("=")
            found[section + key.strip()] = value.strip()
    return found


def changed_settings(old: str | None, new: str | None) -> list[str]:
    """Return the dotted keys that differ between two files, without `env_file`, whose name differs each time."""
    before, after = read_toml(old or ""), read_toml(new or "")
    return [key for key in _changed(before, after) if key != "env_file"]


def changed_variables(old: str, new: str) -> list[str]:
    """Return the variables that differ, as `env.NAME`. Raises ReleaseError, without any value."""
    return [f"env.{name}" for name in _changed(_read_stored(old), parse_variables(new))]


def parse_variables(text: str) -> Mapping[str, str]:
    """Return the variables of an option's text. Raises ReleaseError, without any value."""
    try:
        return env_file.parse(text)
    except ValueError as error:
        raise ReleaseError(f"env cannot be read: {error}", "write one KEY=value per line") from error


def _read_stored(text: str) -> Mapping[str, str]:
    """Return the variables that are live; of a file that was damaged by hand there are none, so that all is written."""
    try:
        return env_file.parse(text)
    except ValueError:
        return {}


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [key for key in {**old, **new} if old.get(key) != new.get(key)]


def differences(old: str | None, new: str | None) -> list[str]:
    """Return the lines of --diff between two files of settings."""
    before, after = read_toml(old or ""), read_toml(new or "")
    return [
        f"{sign} {key} = {values[key]}"
        for key in changed_settings(old, new)
        for sign, values in (("-", before), ("+", after))
        if key in values
    ]
