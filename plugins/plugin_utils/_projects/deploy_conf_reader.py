# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader of the original form: `[section]`, then `key value` lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from . import schema
from .errors import Problem, suggest
from .section import Section, Source

# The names that the original writes with a dash; all others are the same in both forms.
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
            self.error(line, f"[{name}] stands here and in line {previous.line}")

    def pair(self, line: int, key: str, value: str) -> None:
        key = DASHED.get(key, key)
        kind = schema.type_of(key)
        if self.values is None:
            self.error(line, f"{key!r} stands before the first [section]")
        elif kind is None:
            self.error(line, _unknown(key))
        elif key in self.lines:
            self.error(line, f"{key!r} stands here and in line {self.lines[key]}; the original reads the first")
        elif value == "":
            self.error(line, f"{key!r} has no value; remove the line, or write the value behind it")
        elif " #" in value and key not in schema.COMMANDS:
            self.error(line, f"{key!r}: a comment takes a line of its own; here it would belong to the value")
        else:
            self.lines[key] = line
            _put(self.values, key, kind.parse(value))


def read_deploy_conf(text: str, file: str) -> Source:
    """Split `text` into sections. Never raises: what is wrong is in `problems`.

    A section ends where the next begins, and keys and sections are matched as a whole; the original looks at the
    20 lines below a header, wherever they belong to.
    """
    reader = _Reader(file)
    for line, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        _read_line(reader, line, raw.rstrip())
    if not reader.source.projects and not reader.source.problems:
        reader.error(1, "no [section] found; each project begins with one")
    return reader.source


def _read_line(reader: _Reader, line: int, text: str) -> None:
    if text == "" or text.lstrip().startswith("#"):
        return
    if header := re.fullmatch(r"\[([^\[\]]+)\]", text):
        reader.header(line, header[1].strip())
    elif text.startswith("["):
        reader.error(line, f"wanted [section], found {text!r}")
    elif text[0].isspace():
        reader.error(line, f"{text.strip()!r} is indented, and the original skips it: unindent it, or put # before it")
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
        return f"{table!r} takes a name and a value: {table}.NAME value"
    known = [*schema.PROJECT_KEYS, *DASHED]
    return f"unknown key {key!r}; {suggest(key, known)}"


def _put(values: dict[str, object], key: str, value: object) -> None:
    table, dot, name = key.partition(".")
    if not dot:
        values[key] = value
        return
    inner = values.setdefault(table, {})
    if isinstance(inner, dict):
        inner[name] = value
