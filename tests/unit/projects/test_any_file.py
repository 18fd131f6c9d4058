# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever stands in a file, the answer is projects or a list of problems, never a traceback."""

from __future__ import annotations

import contextlib
from typing import Any

import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.deploy_conf_reader import read_deploy_conf
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import ProjectsError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.host_vars import group_hosts, host_variables
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import place
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Source
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.yaml_reader import read_yaml
from hypothesis import given
from hypothesis import strategies as st

KEYS = [*schema.known("project"), *(f"{table}.{name}" for table, names in schema.TABLES.items() for name in names)]
TEXT = st.text("ab1_-./:#[]{}'\" \té~", max_size=8)
NAMES = st.one_of(st.sampled_from(KEYS), TEXT, st.integers(), st.booleans(), st.none())
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3))
)
SOUND = {"host": "web1", "repo": "r", "path": "/p"}
ALMOST = st.builds(lambda more: SOUND | more, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2))
TABLES = st.dictionaries(
    st.one_of(TEXT, st.just("blog")),
    st.one_of(ALMOST, VALUES, st.dictionaries(NAMES, VALUES, max_size=6)),
    max_size=3,
)
FILES = st.dictionaries(
    st.sampled_from(["plugin", "projects", "servers", "deploy_conf", "other"]), st.one_of(TABLES, VALUES), max_size=4
)


def use(source: Source) -> None:
    """Go all the way to host variables, or stop with problems that can be read."""
    with contextlib.suppress(ProjectsError):
        placements = place(source)
        assert len(group_hosts(placements)["projects"]) == len([host_variables(item) for item in placements])


@given(FILES)
def test_any_yaml(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data)
    use(read_yaml(yaml.safe_load(text), text, "p.yml"))


LINES = st.one_of(
    TEXT,
    st.builds("[{}]".format, TEXT),
    st.builds("{} {}".format, st.sampled_from([*KEYS, "post-deploy"]), TEXT),
)


@given(st.lists(LINES, max_size=12))
def test_any_deploy_conf(lines: list[str]) -> None:
    text = "\n".join(lines)
    source = read_deploy_conf(text, "deploy.conf")
    use(source)
    assert all(1 <= problem.line <= max(1, len(text.splitlines())) for problem in source.problems)


WORDS = st.text("abcdefghijklmnopqrstuvwxyz/:.@-", min_size=1, max_size=12)
SECTIONS = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.dictionaries(st.sampled_from(["user", "repo", "path", "key", "ref", "host", "test"]), WORDS),
    min_size=1,
    max_size=4,
)


@given(SECTIONS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([" ", "  ", "\t"]), st.booleans())
def test_what_is_written_is_what_is_read(
    sections: dict[str, dict[str, str]], end: str, blank: str, comments: bool
) -> None:
    """No section leaks into another, whatever its length."""
    note = [f"# note{end}"] if comments else []
    lines = [
        line
        for name, values in sections.items()
        for line in [f"[{name}]{end}", *note, *(f"{key}{blank}{value}{end}" for key, value in values.items()), end]
    ]
    source = read_deploy_conf("".join(lines), "deploy.conf")
    assert source.problems == []
    assert {section.name: section.values for section in source.projects} == sections
