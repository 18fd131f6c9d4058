# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both readers produce: sections with the line of each key, before any value is checked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import schema
from .errors import Problem
from .values import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping


# The values of these keys are paths on this machine, not on the server.
LOCAL_PATHS = ("key", "local")


@dataclass(frozen=True)
class Section:
    """The keys of one project or of one server, as the file has them.

    `kind` is "project" or "server"; `lines` maps a key, or a dotted pair such as `heartbeat.path`, to its line.
    """

    kind: str
    name: str
    file: str
    line: int
    values: Mapping[str, object]
    lines: Mapping[str, int]

    def problem(self, key: str, message: str) -> Problem:
        """Return a problem with `key` (empty: with the section as a whole)."""
        where = f"{self.kind} {self.name}" + (f", {key}" if key else "")
        return Problem(self.file, self.line_of(key), where, message)

    def normal_values(self) -> dict[str, object]:
        """Return the values in the form that all others work with.

        Paths on this machine are absolute: in the file they are relative to its directory.
        """
        types = schema.PROJECT_KEYS
        values = dict(self.values)
        for key in types.keys() & values.keys():
            made = types[key].normal(values[key])
            # What is in that form already keeps what Ansible knows of it, such as its line.
            values[key] = values[key] if made == values[key] else made
        return {**values, **{key: local_path(values[key], self.file) for key in LOCAL_PATHS if key in values}}

    def line_of(self, key: str) -> int:
        """Return the line of `key`; when it has none, that of the key around it, or of the section."""
        return self.lines.get(key, self.lines.get(key.partition(".")[0], self.line))


@dataclass(frozen=True)
class Source:
    """All sections of a configuration, and the problems of the text around them."""

    projects: list[Section] = field(default_factory=list)
    servers: list[Section] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def merge(self, other: Source) -> Source:
        """Return the sections and problems of both."""
        return Source(self.projects + other.projects, self.servers + other.servers, self.problems + other.problems)


def local_path(value: object, file: str) -> object:
    """Return a path on this machine made absolute: `~` is home, the rest is relative to the directory of `file`."""
    home = os.path.expanduser(str(value))  # noqa: PTH111  Path.expanduser raises for a user it does not know
    return value if is_template(value) else str(Path(file).absolute().parent / home)
