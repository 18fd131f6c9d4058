"""What `config` shows of a project: what is given, and the defaults, which are those of the parts that have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import placement, schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Section, Source
from procmon import config

from onetouch_deploy import settings, views
from onetouch_deploy.settings import DEFAULTS, OF_APPS, Configuration

ROLES = Path(__file__).parents[3] / "roles"
# The defaults of these depend on others, or on what there is: none can be shown.
WITHOUT = {
    *(
        "host",
        "hosts",
        "user",
        "port",
        "key",
        "admin",
        "repo",
        "path",
        "ref",
        "writable_paths",
        "pre_deploy",
        "env_file",
    ),
    *("post_deploy", "test", "app", "bind", "index", "local", "url", "reload_timeout", "env", "uvicorn"),
    *("heartbeat.host_header", "worker.max_requests", "worker.max_age", "worker.max_rss"),
}


def test_every_key_has_a_default_or_none() -> None:
    inner = {f"{table}.{key}" for table, keys in schema.TABLES.items() for key in keys}
    every = {*schema.PROJECT_KEYS, *schema.FREEFORM_TABLES, *inner}
    shown = {*views.flat({**DEFAULTS, **OF_APPS})}
    assert (shown | WITHOUT, shown & WITHOUT) == (every, set())


def test_defaults_are_those_of_the_role() -> None:
    role = yaml.safe_load((ROLES / "project/defaults/main.yml").read_text())
    own = {key: role[f"project_{key}"] for key in {**DEFAULTS, **OF_APPS} if f"project_{key}" in role}
    assert own == {key: value for key, value in {**DEFAULTS, **OF_APPS}.items() if key in own}
    assert {"keep", "python", "strategy", "hook_timeout", "restart_file"} <= own.keys()


@pytest.mark.parametrize(
    ("table", "found"),
    [("heartbeat", config.HeartbeatConfig()), ("reload", config.ReloadConfig()), ("worker", config.WorkerConfig())],
)
def test_defaults_are_those_of_procmon(table: str, found: object) -> None:
    shown = OF_APPS[table]
    assert isinstance(shown, dict)
    for key, value in shown.items():
        own = getattr(found, key, None) or getattr(found, f"{key}_seconds")
        assert value == (list(own) if isinstance(own, tuple) else own)


def section(kind: str, name: str, **values: object) -> Section:
    return Section(kind, name, "projects.yml", 1, values, {})


def test_what_is_given_comes_first_and_the_rest_as_comments() -> None:
    """Of two servers, of which one has a section."""
    given = section("project", "blog", hosts=["web1", "web2"], repo="r", path="/srv/blog", connection="ssh")
    server = section("server", "web1", host="192.0.2.1", user="www", forward_agent=True)
    lines = settings.of_project(placement.place(Source([given], [server]))).lines()
    assert lines[:9] == [
        *("hosts web1 web2", "repo r", "path /srv/blog", "connection ssh", "# of the server web1:"),
        *("# host 192.0.2.1", "# user www", "# forward-agent yes", "# by default:"),
    ]
    assert "# hook_timeout 3600" in lines
    assert not [line for line in lines if line in {"# forward-agent no", "# connection ssh", "# workers 2"}]


def test_what_counts_for_an_app_is_shown_where_there_is_one() -> None:
    made = Configuration({"app": "a:b", "heartbeat": {"interval": 3}}, {})
    assert {"# workers 2", "# heartbeat.timeout 10", "heartbeat.interval 3"} <= {*made.lines()}
    assert "# heartbeat.interval 10" not in made.lines()
    assert (made.value("heartbeat.interval"), made.value("reload.surge"), made.value("workers")) == (3, "all", 2)
    assert (made.value("url"), made.value("keep")) == (None, 5)


def test_the_name_of_a_table_gives_all_of_its_keys() -> None:
    """Those of the section count before those of a server, and both before defaults; each has a line."""
    env = {"GREETING": "good night", "SECRET_KEY": "(encrypted)"}
    of_servers = {"web1": {"heartbeat": {"path": "/up", "interval": 5}}}
    made = Configuration({"app": "a:b", "heartbeat": {"interval": 3}, "env": env}, of_servers)
    assert views.value_lines(made.value("heartbeat")) == [
        *("path=/up", "interval=3", "timeout=10", "accept=200 302", "guard=10"),
    ]
    assert views.value_lines(made.value("env")) == ["GREETING=good night", "SECRET_KEY=(encrypted)"]
    assert made.value("uvicorn") is None
    assert views.value_lines(made.value("keep")) == ["5"]
