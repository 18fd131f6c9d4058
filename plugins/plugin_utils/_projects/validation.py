# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of one section by itself: its name, its keys, their values, and which keys go together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import schema
from .errors import Problem, suggest
from .values import ENVIRONMENT_NAME, ValueType, describe_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .section import Section

# Valid as the name of a group, of a systemd unit and of a file; the original script accepts the same.
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
# Groups that exist already, and a name that `hosts: localhost` would match.
RESERVED = ("all", "ungrouped", "projects", "localhost")


def check_project(section: Section) -> Iterator[Problem]:
    """Yield the problems of a project's section."""
    yield from _check_name(section)
    yield from _check_values(section)
    yield from _check_combinations(section)


def check_server(section: Section) -> Iterator[Problem]:
    """Yield the problems of a server's section."""
    yield from _check_values(section)


def _check_name(section: Section) -> Iterator[Problem]:
    if section.name in RESERVED:
        yield section.problem(
            "", f"a project cannot be named {section.name!r}: that is the name of a group or a host of its own"
        )
    elif re.fullmatch(NAME, section.name) is None:
        better = re.sub(r"^[-.]+|[^\w.-]", "_", section.name, flags=re.ASCII)
        message = f"a project's name may have letters, digits, '_', '-' and '.' only, for example {better!r}"
        yield section.problem("", message)


def _check_combinations(section: Section) -> Iterator[Problem]:
    for key in schema.REQUIRED:
        if key not in section.values:
            yield section.problem("", f"{key!r} is missing")
    hosts = [key for key in ("host", "hosts") if key in section.values]
    if len(hosts) > 1:
        yield section.problem("hosts", "'host' and 'hosts' cannot be combined: list all servers in 'hosts'")
    elif not hosts and section.values.get("connection") != "local":
        yield section.problem("", "'host' (or 'hosts', or 'connection: local') is missing")
    if "env" in section.values and "env_file" in section.values:
        yield section.problem("env_file", "'env' and 'env_file' cannot be combined: put all variables into one of them")
    if "app" in section.values and "bind" not in section.values:
        yield section.problem(
            "app", "'bind' is missing: the address at which procmon serves the app, such as 127.0.0.1:3001"
        )


def _check_values(section: Section) -> Iterator[Problem]:
    known = schema.known(section.kind)
    for key, value in section.values.items():
        if key not in known and key in schema.ELSEWHERE:
            yield section.problem(key, schema.ELSEWHERE[key])
        elif key not in known:
            yield section.problem(key, f"unknown key; {suggest(key, known)}")
        elif key in schema.PROJECT_KEYS:
            yield from _check_value(section, key, value, schema.PROJECT_KEYS[key])
        elif not isinstance(value, dict):
            yield section.problem(key, f"must be a mapping, not {describe_value(value)}")
        else:
            yield from _check_table(section, key, value)


def _check_table(section: Section, table: str, values: dict[object, object]) -> Iterator[Problem]:
    for name, value in values.items():
        if not isinstance(name, str):
            yield section.problem(table, f"names must be strings, not {describe_value(name)}")
        elif not name:
            yield section.problem(table, "a name is empty")
        elif table == "env" and ENVIRONMENT_NAME.fullmatch(name) is None:
            yield section.problem(f"env.{name}", "a variable's name may have letters, digits and '_' only")
        elif table == "uvicorn" and (advice := schema.advice_against(name, value)):
            yield section.problem(f"uvicorn.{name}", f"cannot be set under procmon: {advice}")
        else:
            yield from _check_named(section, table, name, value)


def _check_named(section: Section, table: str, name: str, value: object) -> Iterator[Problem]:
    key = f"{table}.{name}"
    expected = schema.type_of(key)
    if expected is not None:
        yield from _check_value(section, key, value, expected)
    elif key in schema.REMOVED:
        yield section.problem(key, schema.REMOVED[key])
    else:
        yield section.problem(key, f"unknown key; {suggest(name, schema.TABLES[table])}")


def _check_value(section: Section, key: str, value: object, expected: ValueType) -> Iterator[Problem]:
    if expected.accepts(value):
        return
    # Values of an environment are often secrets: they are never shown.
    found = "" if key.startswith("env.") else f", not {describe_value(value)}"
    yield section.problem(key, f"must be {expected.expected}{found}")
