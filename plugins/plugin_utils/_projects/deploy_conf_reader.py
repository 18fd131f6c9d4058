# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader of the original script's deploy.conf: `[section]`, then `key value` lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from . import schema
from .errors import Problem, suggest
from .section import Section, Source

# Keys that the original script spells with a dash; all others are the same in both forms.
DASHED = {"forward-agent": "forward_agent", "pre-deploy": "pre_deploy", "post-deploy": "post_deploy"}


@dataclass
class _Reader:
    file: str
    source: Source = field(default_factory=Source)
    values: dict[str, object] | None = None
    lines: dict[str, int] = field(default_factory=dict)

    def error(self, line: int, message: str) -> None:
        where = f"project {self.source.projects[-1].name}" if self.source.projects else ""
        self.source.problems.append(Problem(self.file, line, where, message))

    def header(self, line: int, name: str) -> None:
        previous = next((section for section in self.source.projects if section.name == name), None)
        self.values, self.lines = {}, {}
        self.source.projects.append(Section("project", name, self.file, line, self.values, self.lines))
        if previous:
            self.error(line, f"duplicate section [{name}] (first on line {previous.line})")

    def pair(self, line: int, key: str, value: str) -> None:
        key = DASHED.get(key, key)
        value_type = schema.type_of(key)
        if self.values is None:
            self.error(line, f"{key!r} comes before the first [section]")
        elif value_type is None:
            self.error(line, _unknown(key))
        elif key in self.lines:
            self.error(
                line, f"duplicate key {key!r} (first on line {self.lines[key]}; the original script used that one)"
            )
        elif value == "":
            self.error(line, f"{key!r} has no value. Add one, or remove the line")
        elif " #" in value and key not in schema.COMMANDS:
            self.error(line, f"{key!r}: the comment would be part of the value. Move it to a line of its own")
        else:
            self.lines[key] = line
            _put(self.values, key, value_type.parse(value))


def read_deploy_conf(text: str, file: str) -> Source:
    """Return the sections of `text`. Never raises: errors are in `problems`.

    A section ends where the next one starts, and names are compared as a whole; the original script reads the 20 lines
    after a header, whichever section they belong to.
    """
    reader = _Reader(file)
    for line, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        _read_line(reader, line, raw.rstrip())
    if not reader.source.projects and not reader.source.problems:
        reader.error(1, "no [section] found: each project starts with one")
    return reader.source


def _read_line(reader: _Reader, line: int, text: str) -> None:
    if text == "" or text.lstrip().startswith("#"):
        return
    if header := re.fullmatch(r"\[([^\[\]]+)\]", text):
        reader.header(line, header[1].strip())
    elif text.startswith("["):
        reader.error(line, f"must be a [section], not {text!r}")
    elif text[0].isspace():
        reader.error(
            line,
            f"{text.strip()!r} is indented, and the original script skips it. Remove the indent, or put # before it",
        )
    else:
        key, _blank, value = re.sub(r"\s+", " ", text, count=1).partition(" ")
        reader.pair(line, key, value)


def _unknown(key: str) -> str:
    table, dot, name = key.partition(".")
    if key in schema.REMOVED:
        return f"{key!r} {schema.REMOVED[key]}"
    if dot and table in schema.TABLES:
        return f"unknown key {key!r}; {suggest(name, schema.TABLES[table])}"
    if table in schema.TABLES or table in schema.FREEFORM_TABLES:
        return f"{table!r} needs a name and a value: {table}.NAME value"
    known = [*schema.PROJECT_KEYS, *DASHED]
    return f"unknown key {key!r}; {suggest(key, known)}"


def _put(values: dict[str, object], key: str, value: object) -> None:
    table, dot, name = key.partition(".")
    if not dot:
        values[key] = value
        return
    inner = values.get(table)
    values[table] = {**inner, name: value} if isinstance(inner, dict) else {name: value}
