# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The YAML form: sections with the lines of their keys."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Source
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.yaml_reader import line_of, read_yaml

TEXT = """\
plugin: onetouch.deploy.projects
servers:
  web1: {user: www-data,
         port: 2222}
projects:
  blog:
    host: web1
    heartbeat:
      path: /up
      interval: 5
"""


def read(text: str) -> Source:
    return read_yaml(yaml.safe_load(text), text, "p.yml")


def test_sections_know_the_lines_of_their_keys() -> None:
    source = read(TEXT)
    assert source.problems == []
    (blog,), (web1,) = source.projects, source.servers
    assert (blog.name, blog.line, blog.line_of("host"), blog.line_of("heartbeat.interval")) == ("blog", 6, 7, 10)
    assert (web1.name, web1.line_of("user"), web1.line_of("port")) == ("web1", 3, 4)
    assert blog.values == {"host": "web1", "heartbeat": {"path": "/up", "interval": 5}}


@pytest.mark.parametrize(("key", "line"), [("", 6), ("repo", 6), ("heartbeat", 8), ("heartbeat.guard", 8)])
def test_a_key_that_is_not_there_has_the_line_of_what_it_belongs_to(key: str, line: int) -> None:
    assert read(TEXT).projects[0].line_of(key) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plugin: x\n", "p.yml:1: 'projects' is missing (or 'deploy_conf', the path of the original script's file)"),
        (
            "projects: {}\ndeploy_conf: d\n",
            "p.yml:2: 'deploy_conf' and 'projects' cannot be combined: remove one of them",
        ),
        ("plugin: x\nprojects: {}\nserver: {}\n", "p.yml:3: unknown key 'server'; did you mean 'servers'?"),
        ("plugin: x\nprojects:\n  - blog\n", "p.yml:2: projects: must be a mapping of names, not ['blog']"),
        ("plugin: x\nprojects:\n", "p.yml:2: projects: must be a mapping of names, not an empty value"),
        ("projects:\n  blog:\n", "p.yml:2: project blog: must be a mapping of keys, not an empty value"),
        ("projects: {}\nservers:\n  web1: www\n", "p.yml:3: server web1: must be a mapping of keys, not 'www'"),
        ("projects:\n  a: {}\n  b: {}\n  a: {}\n", "p.yml:4: projects: duplicate key 'a' (first on line 2)"),
        (
            "projects:\n  a:\n    ref: x\n    ref: y\n",
            "p.yml:4: projects, a: duplicate key 'ref' (first on line 3)",
        ),
    ],
)
def test_a_bad_outline_is_reported_with_its_line(text: str, expected: str) -> None:
    assert [str(problem) for problem in read(text).problems] == [expected]


def test_the_line_of_a_key_at_the_top() -> None:
    assert line_of(TEXT, "servers") == 2
    assert line_of(TEXT, "deploy_conf") == 1, "the file as a whole"


def test_two_files_are_one_source() -> None:
    """A projects.yml may hold servers, and name a deploy.conf."""
    both = read("projects:\n  a: {}\nother: 1\n").merge(read(TEXT))
    assert [section.name for section in both.projects + both.servers] == ["a", "blog", "web1"]
    assert [problem.line for problem in both.problems] == [3]


def test_merged_keys_point_at_the_section() -> None:
    """They are elsewhere in the file, under the anchor."""
    text = "projects:\n  a: &base\n    repo: r\n  b:\n    <<: *base\n    path: /b\n"
    source = read(text)
    assert source.problems == []
    assert source.projects[1].values == {"repo": "r", "path": "/b"}
    assert (source.projects[1].line_of("repo"), source.projects[1].line_of("path")) == (4, 6)
