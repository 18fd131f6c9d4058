# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory hosts, their variables and groups."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.host_vars import (
    control_path,
    group_hosts,
    host_name,
    host_variables,
    server_groups,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import Placement
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Section

HOST_VARIABLES = Path(__file__).parents[3] / "docs" / "reference" / "host-variables.md"


def placement(project: str = "blog", server: str = "web1", settings: dict[str, object] | None = None) -> Placement:
    return Placement(Section("project", project, "p.yml", 1, {}, {}), server, "192.0.2.1", settings or {})


BASE = {"project_name": "blog", "project_server": "web1", "ansible_host": "192.0.2.1", "ansible_pipelining": True}


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ({}, {}),
        ({"repo": "r", "path": "/p"}, {"project_repo": "r", "project_path": "/p"}),
        ({"user": "u", "port": 2222}, {"ansible_user": "u", "ansible_port": 2222}),
        ({"connection": "local", "key": "/k", "forward_agent": True}, {"ansible_connection": "local"}),
        (
            {"python": "/usr/bin/python3"},
            dict.fromkeys(["project_python", "ansible_python_interpreter"], "/usr/bin/python3"),
        ),
        ({"needs_tty": True}, {"ansible_pipelining": False}),
        ({"needs_tty": False, "forward_agent": False}, {}),
        ({"env": {"A": 1, "B": "x"}}, {"project_env": {"A": "1", "B": "x"}}),
        (
            {"heartbeat": {"path": "/up"}, "lock_wait": 5},
            {"project_heartbeat": {"path": "/up"}, "project_lock_wait": 5},
        ),
    ],
)
def test_settings_become_variables(settings: dict[str, object], variables: dict[str, object]) -> None:
    assert host_variables(placement(settings=settings)) == {**BASE, **variables}


def test_the_documented_variables_are_the_ones_that_are_set() -> None:
    section = HOST_VARIABLES.read_text().partition("\n## Host variables\n")[2].partition("\n## ")[0]
    documented = {name for name in re.findall(r"\b(?:project|ansible)_\w+", section) if not name.endswith("_")}
    everything: dict[str, object] = {**dict.fromkeys(schema.known("project"), "x"), "connection": "ssh", "env": {}}
    del everything["host"], everything["hosts"]
    assert set(host_variables(placement(settings=everything))) == documented


def path_of(**settings: object) -> object:
    return host_variables(placement(settings=settings)).get("ansible_control_path")


def test_logins_that_agree_share_a_connection_and_others_do_not() -> None:
    """Ansible's own name for it knows host, port and user: a second key or agent would be ignored in silence."""
    logins: list[dict[str, object]] = [
        {},
        {"key": "/a"},
        {"key": "/b"},
        {"forward_agent": True},
        {"key": "/a", "forward_agent": True},
        {"key": "/a", "port": 2222},
    ]
    assert path_of(user="u") is None, "Ansible's own is good enough without a key and an agent"
    for one, other in itertools.combinations(logins, 2):
        assert path_of(**one) != path_of(**other)
    assert path_of(key="/a", repo="r", path="/x") == path_of(key="/a", repo="s", path="/y")


def test_the_name_of_a_connection_is_short_and_has_the_user_of_the_moment() -> None:
    """Setup may log in as root: the deploy user's connection must not be taken for root's."""
    path = control_path("a-very-long-host-name.example.com", 2222, "/some/where/keys/cactus", agent=True)
    assert re.fullmatch(r"%\(directory\)s/[0-9a-f]{10}-%%r", path)
    assert path % {"directory": "D"} == f"D/{path[14:24]}-%r"


def test_hosts_are_grouped_by_project_by_server_and_all_together() -> None:
    placements = [placement("b", "web.one"), placement("b", "a"), placement("shop", "web.one")]
    assert [host_name(item) for item in placements] == ["b@web.one", "b@a", "shop@web.one"]
    assert group_hosts(placements) == {
        "projects": ["b@web.one", "b@a", "shop@web.one"],
        "b": ["b@web.one", "b@a"],
        "shop": ["shop@web.one"],
        "web_one": ["b@web.one", "shop@web.one"],
        "a": ["b@a"],
    }


@pytest.mark.parametrize(
    ("servers", "projects", "groups"),
    [
        (["web1", "www.example.com"], [], ["web1", "www_example_com"]),
        (["192.0.2.1", "2001:db8::1"], [], ["server_192_0_2_1", "server_2001_db8__1"]),
        (["blog"], ["blog"], ["server_blog"]),
        (["all", "localhost", "projects"], [], ["server_all", "server_localhost", "server_projects"]),
        (["a-b", "a.b", "a_b"], [], ["a_b", "server_a_b", "server_a_b_2"]),
        (["blog"], ["blog", "server_blog"], ["server_blog_2"]),
    ],
)
def test_a_server_has_a_group_of_its_own(servers: list[str], projects: list[str], groups: list[str]) -> None:
    assert list(server_groups(servers, projects).values()) == groups
