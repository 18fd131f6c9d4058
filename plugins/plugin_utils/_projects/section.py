# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form that both kinds of configuration file are read into, before anything is checked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Problem
from .values import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping


# Their values are paths of this machine, not of the server.
LOCAL_PATHS = ("key", "local")


@dataclass(frozen=True)
class Section:
    """The keys of one project or of one server, as they stand in the file.

    `kind` is "project" or "server"; `lines` maps a key, or a dotted pair such as `heartbeat.path`, to its line.
    """

    kind: str
    name: str
    file: str
    line: int
    values: Mapping[str, object]
    lines: Mapping[str, int]

    def problem(self, key: str, message: str) -> Problem:
        """Complain about `key` (empty: the section as a whole)."""
        where = f"{self.kind} {self.name}" + (f", {key}" if key else "")
        return Problem(self.file, self.line_of(key), where, message)

    def with_absolute_paths(self) -> dict[str, object]:
        """Return the values, with paths of this machine made absolute: they start at the file's own directory."""
        paths = {key: local_path(self.values[key], self.file) for key in LOCAL_PATHS if key in self.values}
        return {**self.values, **paths}

    def line_of(self, key: str) -> int:
        """Find the line of `key`, else of the key it is inside of, else of the section."""
        return self.lines.get(key, self.lines.get(key.partition(".")[0], self.line))


@dataclass(frozen=True)
class Source:
    """All that a configuration says, with what its reader could not make sense of."""

    projects: list[Section] = field(default_factory=list)
    servers: list[Section] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def merge(self, other: Source) -> Source:
        """Put what two files say into one."""
        return Source(self.projects + other.projects, self.servers + other.servers, self.problems + other.problems)


def local_path(value: object, file: str) -> object:
    """Resolve a path of this machine that stands in `file`: `~` is home, a relative one starts beside the file."""
    home = os.path.expanduser(str(value))  # noqa: PTH111  Path.expanduser raises for a user it does not know
    return value if is_template(value) else str(Path(file).absolute().parent / home)
