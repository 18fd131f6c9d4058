# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader of projects.yml: the values come from Ansible's loader, their line numbers from the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from .errors import Problem, suggest
from .section import Section, Source
from .values import describe_value, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOP_KEYS = ("plugin", "projects", "servers", "deploy_conf")
DEPTH = 4  # projects, blog, heartbeat, path

Path = tuple[str, ...]
LineNumbers = dict[Path, int]


def read_yaml(data: Mapping[str, object], text: str, file: str) -> Source:
    """Return the sections of `data`, which was loaded from `text`. Never raises: errors are in `problems`."""
    line_numbers, problems = read_line_numbers(text, file)
    found = [*_sections("project", data, line_numbers, file), *_sections("server", data, line_numbers, file)]
    return Source(
        projects=[section for section in found if isinstance(section, Section) and section.kind == "project"],
        servers=[section for section in found if isinstance(section, Section) and section.kind == "server"],
        problems=[
            *problems,
            *_top_problems(data, line_numbers, file),
            *(problem for problem in found if isinstance(problem, Problem)),
        ],
    )


def read_line_numbers(text: str, file: str) -> tuple[LineNumbers, list[Problem]]:
    """Return the line of every key, and a problem for each duplicate key."""
    line_numbers: LineNumbers = {}
    problems = []
    for path, line in _walk(yaml.compose(text, Loader=yaml.SafeLoader), ()):
        if path in line_numbers:
            message = f"duplicate key {path[-1]!r} (first on line {line_numbers[path]})"
            problems.append(Problem(file, line, ", ".join(path[:-1]), message))
        line_numbers.setdefault(path, line)
    return line_numbers, problems


def line_of(text: str, *path: str) -> int:
    """Return the line of one key, or 1 when there is no such key."""
    return read_line_numbers(text, "")[0].get(path, 1)


def _walk(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, int]]:
    if not isinstance(node, yaml.MappingNode) or len(path) == DEPTH:
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            inner = (*path, key.value)
            yield inner, key.start_mark.line + 1
            yield from _walk(value, inner)


def _top_problems(data: Mapping[str, object], line_numbers: LineNumbers, file: str) -> Iterator[Problem]:
    for key in map(str, data):
        if key not in TOP_KEYS:
            yield Problem(file, line_numbers.get((key,), 1), "", f"unknown key {key!r}; {suggest(key, TOP_KEYS)}")
    if "deploy_conf" in data:
        yield from _conf_problems(data, line_numbers.get(("deploy_conf",), 1), file)
    elif "projects" not in data:
        yield Problem(file, 1, "", "'projects' is missing (or 'deploy_conf', the path of the original script's file)")


def _conf_problems(data: Mapping[str, object], line: int, file: str) -> Iterator[Problem]:
    if "projects" in data:
        yield Problem(file, line, "", "'deploy_conf' and 'projects' cannot be combined: remove one of them")
    if not is_text(data["deploy_conf"]):
        found = describe_value(data["deploy_conf"])
        yield Problem(file, line, "", f"'deploy_conf' must be the path of a file, not {found}")


def _sections(
    kind: str, data: Mapping[str, object], line_numbers: LineNumbers, file: str
) -> Iterator[Section | Problem]:
    top = f"{kind}s"
    table = data.get(top, {})
    if not isinstance(table, dict):
        yield Problem(
            file, line_numbers.get((top,), 1), top, f"must be a mapping of names, not {describe_value(table)}"
        )
        return
    for name, values in table.items():
        path = (top, str(name))
        line = line_numbers.get(path, line_numbers.get((top,), 1))
        if isinstance(values, dict):
            named = {str(key): value for key, value in values.items()}
            yield Section(kind, str(name), file, line, named, _lines_below(path, line_numbers))
        else:
            yield Problem(file, line, f"{kind} {name}", f"must be a mapping of keys, not {describe_value(values)}")


def _lines_below(path: Path, line_numbers: LineNumbers) -> dict[str, int]:
    return {
        ".".join(found[2:]): line
        for found, line in line_numbers.items()
        if found[:2] == path and len(found) > len(path)
    }
