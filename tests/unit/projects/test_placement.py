# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which project goes where, with whose settings, and who is in whose way."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import ProjectsError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import Placement, place
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.yaml_reader import read_yaml


def placed(text: str) -> list[Placement]:
    return place(read_yaml(yaml.safe_load(text), text, "/etc/p.yml"))


def complaints(text: str) -> list[str]:
    with pytest.raises(ProjectsError) as error:
        placed(text)
    assert str(error.value).startswith("invalid project configuration:\n")
    return [str(problem) for problem in error.value.problems]


def test_the_order_of_hosts_is_kept() -> None:
    """It is the order of a rollout."""
    placements = placed("projects: {b: {hosts: [z, a], repo: r, path: /b}, a: {host: m, repo: r, path: /a}}")
    assert [(item.project.name, item.server) for item in placements] == [("b", "z"), ("b", "a"), ("a", "m")]


def test_settings_of_a_server_stand_once_and_a_project_overrides_them() -> None:
    placements = placed("""
servers:
  web1: {host: 192.0.2.1, user: www-data, port: 2222, key: keys/a}
projects:
  a: {host: web1, repo: r, path: /a}
  b: {host: web1, repo: r, path: /b, user: me, key: ~nobody-of-that-name/k}
  c: {host: web2, repo: r, path: /c}
""")
    assert [item.address for item in placements] == ["192.0.2.1", "192.0.2.1", "web2"]
    assert placements[0].settings == {"user": "www-data", "port": 2222, "key": "/etc/keys/a", "repo": "r", "path": "/a"}
    assert placements[1].settings["user"] == "me"
    assert placements[1].settings["key"] == "/etc/~nobody-of-that-name/k"
    assert placements[2].settings == {"repo": "r", "path": "/c"}


def test_paths_of_this_machine_start_beside_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = "projects: {{a: {{host: h, repo: r, path: /a, key: {}, local: ../a}}}}"
    for key, expected in [("k/cactus", "/etc/k/cactus"), ("/k", "/k"), ("~/.ssh/k", "/home/me/.ssh/k")]:
        settings = placed(text.format(key))[0].settings
        assert (settings["key"], settings["local"]) == (expected, "/etc/../a")


def test_a_local_project_needs_no_host() -> None:
    (placement,) = placed("projects: {a: {connection: local, repo: r, path: /a}}")
    assert (placement.server, placement.address) == ("localhost", "localhost")


@pytest.mark.parametrize(
    ("projects", "expected"),
    [
        (
            "  a: {host: h, repo: r, path: /x}\n  b: {host: h, repo: r, path: /x/}",
            "/etc/p.yml:3: project b, path: '/x' on server h is already used by project a: give each its own",
        ),
        (
            "  a: {host: h, repo: r, path: /a, app: 'a:b', bind: 'h:1'}\n"
            "  b: {hosts: [g, h], repo: r, path: /b, app: 'a:b', bind: 'h:1'}",
            "/etc/p.yml:3: project b, bind: 'h:1' on server h is already used by project a: give each its own",
        ),
        (
            "  a: {host: h, repo: r, path: /x}\n  b: {host: 192.0.2.1, repo: r, path: /x}\n"
            "servers: {h: {host: 192.0.2.1}}",
            "/etc/p.yml:3: project b, path: '/x' on server 192.0.2.1 is already used by project a: give each its own",
        ),
        (
            "  a: {hosts: [h, g, h], repo: r, path: /a}",
            "/etc/p.yml:2: project a, hosts: duplicate host 'h'",
        ),
    ],
)
def test_projects_in_each_others_way_are_refused(projects: str, expected: str) -> None:
    assert complaints(f"projects:\n{projects}\n") == [expected]


def test_the_same_path_on_two_servers_is_fine() -> None:
    assert len(placed("projects: {a: {host: h, repo: r, path: /x}, b: {host: g, repo: r, path: /x}}")) == 2


def test_a_server_that_no_project_uses_is_fine() -> None:
    assert len(placed("servers: {spare: {user: u}}\nprojects: {a: {host: web1, repo: r, path: /a}}")) == 1


def test_all_problems_are_reported_at_once_in_the_order_of_lines() -> None:
    text = "projects:\n  b: {host: h, path: b}\n  a: {host: h, repo: r, path: /a, prt: 1}\nservers:\n  h: {usr: x}\n"
    assert [line.split(":")[1] for line in complaints(text)] == ["2", "2", "3", "5"]


@pytest.mark.parametrize(
    ("key", "written", "meant"),
    [
        ("path", "/srv//blog/./", "/srv/blog"),
        ("path", "/srv/../blog", "/srv/../blog"),
        ("path", "{{ base }}//blog/", "{{ base }}//blog/"),
        ("bind", "unix:/run//blog/./http.sock", "unix:/run/blog/http.sock"),
        ("bind", "127.0.0.1:3001", "127.0.0.1:3001"),
        ("bind", "[::1]:03001", "[::1]:3001"),
        ("bind", "{{ a }}:03001", "{{ a }}:03001"),
        ("shared_paths", ["public/system", "./uploads//", "a/./b/"], ["public/system", "uploads/", "a/b/"]),
        ("writable_paths", ["/srv/uploads/", "//mnt//a", "{{ more }}/"], ["/srv/uploads", "/mnt/a", "{{ more }}/"]),
        ("python", "/opt//python/bin/python3", "/opt/python/bin/python3"),
        ("env_file", "/etc/blog//env", "/etc/blog/env"),
        ("restart_file", "./tmp//restart", "tmp/restart"),
    ],
)
def test_a_path_has_one_form_however_it_is_written(key: str, written: object, meant: object) -> None:
    """What `..` leads to, and what Ansible fills in, is not known here."""
    section = {"host": "h", "repo": "r", "path": "/a", key: written}
    assert placed(yaml.safe_dump({"projects": {"a": section}}))[0].settings[key] == meant


def test_projects_whose_paths_are_written_differently_are_in_each_others_way() -> None:
    a, b = ({"host": "h", "repo": "r", "path": f"/{name}", "app": "m:a"} for name in "ab")
    projects = {"a": {**a, "bind": "unix:/run/x/s"}, "b": {**b, "bind": "unix:/run//x/./s"}}
    [found] = complaints(yaml.safe_dump({"projects": projects}))
    assert "'unix:/run/x/s' on server h is already used by project a: give each its own" in found
