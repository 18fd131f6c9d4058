# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as their writers see them, and sections of several files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import values
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import Problem
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Section, Source
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.yaml_reader import line_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "an empty value"),
        (True, "yes"),
        (False, "no"),
        ({"a": 1}, "a mapping"),
        ([1, "a"], "[1, 'a']"),
        (1.5, "1.5"),
        (Path("/a"), "a value of another type"),
    ],
)
def test_a_wrong_value_is_described(value: object, text: str) -> None:
    assert values.describe_value(value) == text


@pytest.mark.parametrize(
    ("value", "inside"), [("a/b", True), ("", False), (" a", False), ("/a", False), ("a/../b", False), (1, False)]
)
def test_a_path_inside_goes_neither_up_nor_away(value: object, inside: object) -> None:
    assert values.is_inside(value) is inside


@pytest.mark.parametrize(
    ("value", "accepted"),
    [("https://pypi.example.com/simple", True), ("/srv/wheels", True), ("/a b", False), (3, False), (["/srv"], False)],
)
def test_an_index_is_an_address_or_a_directory(value: object, accepted: object) -> None:
    assert values.is_index(value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("https://www.example.com", True),
        ("http://[2001:db8::1]:8080/a?b#c", True),
        ("https://www.example.com/@user", True),
        ("{{ url }}", True),
        ("https://me:s3cr3t@www.example.com", False),
        ("https://token@www.example.com/", False),
        ("https://www.example.com/\x1b[31m", False),
        ("ftp://www.example.com", False),
    ],
)
def test_an_address_that_is_printed_has_no_password(value: str, accepted: object) -> None:
    assert values.ADDRESS.accepts(value) is accepted


@pytest.mark.parametrize("value", ["https://me:s3cr3t@host", ["https://me:s3cr3t@host/x y"], "//me:s3@cr3t@host"])
def test_a_wrong_value_is_described_without_its_password(value: object) -> None:
    assert "cr3t" not in values.describe_value(value)
    assert "***@host" in values.describe_value(value)


def test_two_files_make_one_source() -> None:
    def source(name: str) -> Source:
        section = Section("project", name, f"{name}.yml", 1, {}, {})
        return Source([section], [section], [Problem(f"{name}.yml", 1, "", "wrong")])

    both = source("a").merge(source("b"))
    assert [section.name for section in both.projects] == ["a", "b"]
    assert (len(both.servers), len(both.problems)) == (2, 2)


def test_a_key_that_is_not_there_is_on_the_first_line() -> None:
    text = "plugin: x\ndeploy_conf: d\n"
    assert (line_of(text, "deploy_conf"), line_of(text, "projects")) == (2, 1)
