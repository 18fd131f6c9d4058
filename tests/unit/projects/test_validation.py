# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a section, in the words that its writer reads."""

from __future__ import annotations

import inspect
import re
from contextlib import nullcontext
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
import uvicorn
import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Section
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.validation import check_project, check_server
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.yaml_reader import read_yaml
from procmon import config as procmon

CHECKOUT = Path(__file__).parents[3]
UVICORN_OPTIONS = tuple(inspect.signature(uvicorn.Config).parameters)
SOUND: dict[str, object] = {"host": "web1", "repo": "git@git.example.com:me/blog.git", "path": "/srv/blog"}


def section(values: dict[str, object], name: str = "blog", kind: str = "project") -> Section:
    return Section(kind, name, "p.yml", 1, values, {})


def complaints(values: dict[str, object], name: str = "blog") -> list[str]:
    prefix = f"p.yml:1: project {name}"
    return [str(problem).removeprefix(prefix).lstrip(":, ") for problem in check_project(section(values, name))]


WRONG_WRITABLE_PATHS = [
    *(["uploads"], ["/"], ["/srv"], ["/srv/"], ["/etc/x"], ["/usr/a"]),
    *(["/srv/../etc/x"], ["/./etc/x"], ["/srv/."], ["/a/b\n"]),
]
EVERYTHING: dict[str, object] = {
    "repo": "git@git.example.com:me/blog.git",
    "path": "/srv/blog",
    "hosts": ["web1", "192.0.2.1", "2001:db8::1"],
    "user": "www-data",
    "port": 22,
    "key": "keys/my key",
    "ref": "origin/master",
    "strategy": "in_place",
    "keep": 1,
    "shared_paths": ["public/system", ".env"],
    "writable_paths": ["/srv/uploads", "/home/deploy/.cache", "/mnt/a b", "{{ uploads }}"],
    "pre_deploy": "a && b",
    "post_deploy": "a\nb\n",
    "test": "true",
    "restart_file": "tmp/restart",
    "app": "blog.main:make_app()",
    "bind": "unix:/run/blog.sock",
    "workers": 2,
    "env": {"A": "x", "B": "", "C": 1},
    "python": "/usr/bin/python3.12",
    "admin": "root",
    "local": "~/blog",
    "url": "https://www.example.com/a?b",
    "connection": "ssh",
    "forward_agent": True,
    "needs_tty": False,
    "heartbeat": {"path": "/up?x=1", "host_header": "h", "interval": 0, "timeout": 0.5, "accept": [200], "guard": 0},
    "reload": {"boot_timeout": 1, "drain_timeout": 0, "idle_grace": 0, "surge": "one"},
    "worker": {"hang_timeout": 2, "max_requests": 1, "max_age": 1.5, "max_rss": "300M"},
    "uvicorn": {"log_level": "warning", "proxy_headers": True},
    "reload_timeout": 60,
    "hook_timeout": 600,
    "lock_wait": 0,
    "index": "https://me:word@pypi.example.com/simple",
}


def test_every_key_in_every_sound_form_is_accepted() -> None:
    assert complaints(EVERYTHING) == []
    assert complaints({**SOUND, "env_file": "/etc/blog.env"}) == []
    assert complaints({**SOUND, "index": "/srv/wheels"}) == []
    assert complaints({**SOUND, "repo": "::1:/srv/blog.git", "path": "/srv/a \"b\" 'c' $(x);"}) == []
    assert {*EVERYTHING, "host", "env_file"} == set(schema.known("project"))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("port", "22", "port: must be a port number from 1 to 65535, not '22'"),
        ("port", 0, "port: must be a port number from 1 to 65535, not 0"),
        ("port", True, "port: must be a port number from 1 to 65535, not yes"),
        ("user", None, "user: must be a string without whitespace, not an empty value"),
        ("user", "a b", "user: must be a string without whitespace, not 'a b'"),
        ("path", "srv/blog", "path: must be an absolute path without ':', not 'srv/blog'"),
        ("path", "/", "path: must be an absolute path without ':', not '/'"),
        ("path", "//", "path: must be an absolute path without ':', not '//'"),
        ("path", "/srv/a:b", "path: must be an absolute path without ':', not '/srv/a:b'"),
        ("path", "/srv/a\tb", "path: must be an absolute path without ':', not '/srv/a\\tb'"),
        *(
            ("writable_paths", value, f"writable_paths: must be a list of absolute paths such as /srv/uploads, {found}")
            for value, found in [
                ([], "without '..', not []"),
                ("/srv/uploads", "without '..', not '/srv/uploads'"),
                *((paths, f"without '..', not {paths!r}") for paths in WRONG_WRITABLE_PATHS),
            ]
        ),
        ("repo", "ext::touch", "repo: must be an ssh or https URL or a path, without whitespace, not 'ext::touch'"),
        (
            "repo",
            "--upload-pack=x",
            "repo: must be an ssh or https URL or a path, without whitespace, not '--upload-pack=x'",
        ),
        ("ref", "--upload-pack=x", "ref: must be a branch, a tag or a commit, not '--upload-pack=x'"),
        ("restart_file", "../x", "restart_file: must be a path without '..', not '../x'"),
        ("restart_file", 1, "restart_file: must be a path without '..', not 1"),
        ("host", "we b", "host: must be a host name or an address, not 'we b'"),
        ("strategy", "inplace", "strategy: must be releases or in_place, not 'inplace'"),
        ("connection", "docker", "connection: must be ssh or local, not 'docker'"),
        *(
            (
                "url",
                value,
                f"url: must be a URL without a user and a password, such as https://www.example.com, not {value!r}",
            )
            for value in ("www.example.com", "ftp://example.com", "https://", "https://a b", "https://a\x1b[31m")
        ),
        ("interface", "wsgi", "interface: is an option of uvicorn; write uvicorn: {interface: wsgi}"),
        ("keep", 0, "keep: must be an integer >= 1, not 0"),
        ("workers", 1.5, "workers: must be an integer from 1 to 512, not 1.5"),
        ("workers", 513, "workers: must be an integer from 1 to 512, not 513"),
        ("shared_paths", "media", "shared_paths: must be a list of relative paths without '..', not 'media'"),
        ("shared_paths", ["/a"], "shared_paths: must be a list of relative paths without '..', not ['/a']"),
        ("shared_paths", ["a/../b"], "shared_paths: must be a list of relative paths without '..', not ['a/../b']"),
        ("shared_paths", ["."], "shared_paths: must be a list of relative paths without '..', not ['.']"),
        ("shared_paths", [], "shared_paths: must be a list of relative paths without '..', not []"),
        ("shared_paths", [1], "shared_paths: must be a list of relative paths without '..', not [1]"),
        ("keep", date(2026, 1, 31), "keep: must be an integer >= 1, not a value of another type"),
        (
            "index",
            7,
            "index: must be a URL such as https://pypi.example.com/simple, or an absolute path, not 7",
        ),
        ("test", "", "test: must be a string that is not blank, not ''"),
        ("post_deploy", ["a"], "post_deploy: must be a string that is not blank, not ['a']"),
        ("forward_agent", "yes", "forward_agent: must be yes or no, not 'yes'"),
        ("reload_timeout", 1.5, "reload_timeout: must be an integer >= 1, not 1.5"),
        ("hook_timeout", 0, "hook_timeout: must be an integer >= 1, not 0"),
        ("lock_wait", -1, "lock_wait: must be an integer >= 0 (seconds), not -1"),
        ("env_file", "env", "env_file: must be an absolute path, not 'env'"),
        (
            "index",
            "pypi.example.com",
            "index: must be a URL such as https://pypi.example.com/simple, or an absolute path, not 'pypi.example.com'",
        ),
        ("hst", "x", "hst: unknown key; did you mean 'host'?"),
        ("pre-deploy", "x", "pre-deploy: unknown key; did you mean 'pre_deploy'?"),
        ("env", "A=1", "env: must be a mapping, not 'A=1'"),
        ("env", {"A": True}, "env.A: must be a string (put quotes around yes, no and decimal numbers)"),
        ("env", {"A": 1.10}, "env.A: must be a string (put quotes around yes, no and decimal numbers)"),
        ("env", {"A": None}, "env.A: must be a string (put quotes around yes, no and decimal numbers)"),
        ("env", {"A-B": "x"}, "env.A-B: a variable's name may have letters, digits and '_' only"),
        ("env", {1: "x"}, "env: names must be strings, not 1"),
        ("uvicorn", {"": None}, "uvicorn: a name is empty"),
        ("heartbeat", {"": 1}, "heartbeat: a name is empty"),
        ("heartbeat", "/up", "heartbeat: must be a mapping, not '/up'"),
        ("heartbeat", {"pth": "/"}, "heartbeat.pth: unknown key; did you mean 'path'?"),
        ("heartbeat", {"path": "up"}, "heartbeat.path: must be a path that starts with '/', not 'up'"),
        (
            "heartbeat",
            {"accept": 200},
            "heartbeat.accept: must be a list of HTTP status codes, such as [200, 302], not 200",
        ),
        ("reload", {"surge": "two"}, "reload.surge: must be all or one, not 'two'"),
        (
            "worker",
            {"max_rss": 5},
            "worker.max_rss: must be a number of bytes >= 1048576, or a size such as 300M or 2G, not 5",
        ),
        ("worker", {"hang_timeout": 1}, "worker.hang_timeout: must be a number of seconds from 2 to 86400, not 1"),
        ("reload", {"idle_grace": 3601}, "reload.idle_grace: must be a number of seconds from 0 to 3600, not 3601"),
        ("uvicorn", {"log_level": None}, "uvicorn.log_level: must be a value, not an empty value"),
        ("uvicorn", {"log_config": {"root": None}}, "uvicorn.log_config: must be a value, not a mapping"),
        (
            "uvicorn",
            {"ssl_keyfile": "/key"},
            "uvicorn.ssl_keyfile: cannot be set under procmon: use a proxy in front for TLS",
        ),
        ("uvicorn", {"workers": 2}, "uvicorn.workers: cannot be set under procmon: use the project's workers"),
        ("uvicorn", {"fd": 3}, "uvicorn.fd: cannot be set under procmon: use bind"),
        (
            "uvicorn",
            {"limit_max_requests": 200},
            "uvicorn.limit_max_requests: cannot be set under procmon: use worker.max_requests",
        ),
        (
            "uvicorn",
            {"http2": True},
            "uvicorn.http2: cannot be set under procmon: procmon cannot drain HTTP/2 connections: use a proxy in front",
        ),
        (
            "worker",
            {"preload": True},
            "worker.preload: was removed: workers always import the app themselves. Delete the key",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wanted(key: str, value: object, expected: str) -> None:
    assert complaints({**SOUND, key: value}) == [expected]


@pytest.mark.parametrize("bind", ["127.0.0.1:3001", "localhost:1", "[::1]:65535", "unix:/run/blog/app.sock"])
def test_a_bind_is_an_address_or_a_socket(bind: str) -> None:
    assert complaints({**SOUND, "bind": bind, "app": "a:b"}) == []


@pytest.mark.parametrize("bind", ["3001", ":3001", "a:0", "a:65536", "::1:80", "unix:run", "unix:/" + "x" * 120, 3001])
def test_a_wrong_bind_is_refused(bind: object) -> None:
    assert [text[:35] for text in complaints({**SOUND, "bind": bind})] == ["bind: must be host:port or unix:/pa"]


@pytest.mark.parametrize("app", ["blog", "blog.main", "blog/main.py:app", "blog:", ":app"])
def test_a_wrong_app_is_refused(app: str) -> None:
    (text,) = complaints({**SOUND, "app": app, "bind": "a:1"})
    assert text.startswith("app: must be module:attribute")


def test_a_long_value_is_cut_and_a_secret_is_not_shown() -> None:
    assert len(complaints({**SOUND, "bind": "x" * 500})[0]) < 150
    assert "hunter2" not in "".join(complaints({**SOUND, "env": {"PASSWORD": ["hunter2"]}}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("all", "a project cannot be named 'all': that is the name of a group or a host of its own"),
        ("ungrouped", "a project cannot be named 'ungrouped': that is the name of a group or a host of its own"),
        ("localhost", "a project cannot be named 'localhost': that is the name of a group or a host of its own"),
        ("-blog", "a project's name may have letters, digits, '_', '-' and '.' only, for example '_blog'"),
        ("a:b", "a project's name may have letters, digits, '_', '-' and '.' only, for example 'a_b'"),
        ("a/../b", "a project's name may have letters, digits, '_', '-' and '.' only, for example 'a_.._b'"),
    ],
)
def test_a_name_that_is_no_group_is_refused(name: str, expected: str) -> None:
    assert complaints(SOUND, name) == [expected]


@pytest.mark.parametrize("name", ["my-blog", "2048", "a.b", "_x"])
def test_a_name_that_the_original_takes_is_taken(name: str) -> None:
    assert complaints(SOUND, name) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"host": "a", "path": "/a"}, ["'repo' is missing"]),
        ({}, ["'repo' is missing", "'path' is missing", "'host' (or 'hosts', or 'connection: local') is missing"]),
        ({"connection": "local", "repo": "r", "path": "/p"}, []),
        ({**SOUND, "hosts": ["b"]}, ["hosts: 'host' and 'hosts' cannot be combined: list all servers in 'hosts'"]),
        (
            {**SOUND, "app": "a:b"},
            ["app: 'bind' is missing: the address at which procmon serves the app, such as 127.0.0.1:3001"],
        ),
        (
            {**SOUND, "env": {}, "env_file": "/e"},
            ["env_file: 'env' and 'env_file' cannot be combined: put all variables into one of them"],
        ),
        (
            {**SOUND, "hosts": ["b", "b"], "host": "b"},
            ["hosts: 'host' and 'hosts' cannot be combined: list all servers in 'hosts'"],
        ),
    ],
)
def test_what_must_be_there_is_asked_for(values: dict[str, object], expected: list[str]) -> None:
    assert complaints(values) == expected


@pytest.mark.parametrize("key", ["repo", "path", "user", "bind", "ref", "python"])
def test_a_template_is_left_to_ansible(key: str) -> None:
    assert complaints({**SOUND, key: "{{ base }} or so"}) == []


def test_a_server_takes_the_keys_of_a_connection_only() -> None:
    found = [str(problem) for problem in check_server(section({"user": "u", "workers": 2}, "web1", "server"))]
    (text,) = found
    assert text.startswith("p.yml:1: server web1, workers: unknown key; known here: admin, connection,")


def test_the_keys_of_procmon_are_those_that_procmon_knows() -> None:
    """Two places know them, since neither side may import the other."""
    kinds = {"heartbeat": procmon.HeartbeatConfig, "reload": procmon.ReloadConfig, "worker": procmon.WorkerConfig}
    known = {name: {item.metadata["rule"].key for item in fields(kind)} for name, kind in kinds.items()}
    assert {name: set(table) for name, table in schema.TABLES.items()} == known


def test_procmon_agrees_with_what_is_accepted_here() -> None:
    names = ("app", "bind", "workers", "env", "uvicorn", "heartbeat", "reload", "worker")
    document = {name: EVERYTHING[name] for name in names} | {"env": {"A": "x"}}
    parsed = procmon.parse({**document, "name": "blog", "directory": "/srv/blog/current"})
    assert (parsed.workers, parsed.worker.max_rss_bytes, parsed.reload.surge) == (2, 300 << 20, "one")


BOUNDS: dict[str, dict[str, tuple[object, object]]] = {
    "heartbeat": {"interval": (0, 86400), "timeout": (0.1, 3600), "guard": (0, 86400)},
    "reload": {"boot_timeout": (0.1, 86400), "drain_timeout": (0, 86400), "idle_grace": (0, 3600)},
    "worker": {
        "hang_timeout": (2, 86400),
        "max_age": (1, 1e9),
        "max_requests": (1, 1 << 62),
        "max_rss": (1 << 20, 1 << 50),
    },
}


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, bounds in BOUNDS.items() for key in bounds])
def test_what_is_accepted_here_is_accepted_by_procmon_and_what_is_less_by_neither(table: str, key: str) -> None:
    least, most = BOUNDS[table][key]
    base = {"name": "_blog", "app": "a:b", "directory": "/d", "bind": "a:1"}
    for value in (least, most):
        assert complaints({**SOUND, table: {key: value}}, "_blog") == []
        procmon.parse({**base, table: {key: value}})
    assert isinstance(least, (int, float))
    assert complaints({**SOUND, table: {key: least - 0.01}}) != []
    with pytest.raises(procmon.ConfigError):
        procmon.parse({**base, table: {key: least - 0.01}})


def test_a_key_that_was_removed_is_named_with_its_line() -> None:
    text = (
        "plugin: onetouch.deploy.projects\nprojects:\n  blog:\n    host: web1\n    repo: r\n    path: /b\n"
        "    worker: {preload: true}\n"
    )
    (blog,) = read_yaml(yaml.safe_load(text), text, "projects.yml").projects
    assert [str(problem) for problem in check_project(blog)] == [
        "projects.yml:7: project blog, worker.preload: was removed: workers always import the app themselves. "
        "Delete the key"
    ]


def test_http2_may_be_switched_off() -> None:
    assert complaints({**SOUND, "uvicorn": {"http2": False}}) == []


@pytest.mark.parametrize("option", UVICORN_OPTIONS)
def test_an_option_of_uvicorn_is_refused_on_both_sides_or_on_neither(option: str) -> None:
    """Two places know them, since neither side may import the other."""
    base = {"name": "blog", "app": "a:b", "directory": "/d", "bind": "a:1"}
    refused = option.startswith("ssl_") or option in schema.RESERVED_UVICORN_OPTIONS
    assert (complaints({**SOUND, "uvicorn": {option: True}}) != []) == refused
    with pytest.raises(procmon.ConfigError) if refused else nullcontext():
        procmon.parse({**base, "uvicorn": {option: True}})


def test_the_reserved_options_are_options_of_uvicorn() -> None:
    assert set(schema.RESERVED_UVICORN_OPTIONS) <= set(UVICORN_OPTIONS)


def test_every_key_is_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text()
    inner = [f"`{name}`" for table in schema.TABLES.values() for name in table]
    missing = [name for name in [f"`{key}`" for key in schema.known("project")] + inner if name not in text]
    assert missing == []
    assert [name for name in schema.RESERVED_UVICORN_OPTIONS if not re.search(rf"`{name}(`|: true`)", text)] == []
