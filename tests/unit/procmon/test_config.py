"""Reading the configuration: what is accepted, and what the errors say."""

from __future__ import annotations

from pathlib import Path

import pytest
from procmon.config import Bind, ConfigError, identity_error, load, parse

BASE = {"name": "blog", "app": "blog.main:app", "directory": "/srv/current", "bind": "127.0.0.1:3001"}


def test_four_keys_are_enough() -> None:
    config = parse(BASE)
    assert config.workers == 2
    assert config.restart_path == Path("/srv/current/public/system/restart")
    assert config.state_path == Path("/run/procmon/blog")
    assert (config.heartbeat.path, config.heartbeat.interval_seconds, config.heartbeat.accept) == ("/", 10, (200, 302))
    assert (config.reload.boot_timeout_seconds, config.reload.drain_timeout_seconds) == (60, 30)
    assert (config.reload.idle_grace_seconds, config.reload.surge) == (5, "all")
    assert (config.worker.hang_timeout_seconds, config.worker.max_requests) == (30, None)


def test_an_absolute_restart_file_stands_by_itself() -> None:
    assert parse({**BASE, "restart_file": "/srv/restart"}).restart_path == Path("/srv/restart")


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:80", Bind("127.0.0.1", 80)),
        ("localhost:65535", Bind("localhost", 65535)),
        ("[::1]:3001", Bind("::1", 3001)),
        ("unix:/run/blog.sock", Bind(path="/run/blog.sock")),
    ],
)
def test_bind_forms(text: str, bind: Bind) -> None:
    read = parse({**BASE, "bind": text}).bind
    assert read == bind
    assert str(read) == text


@pytest.mark.parametrize("size", [314572800, "300M"])
def test_memory_is_bytes_or_has_a_unit(size: object) -> None:
    assert parse({**BASE, "worker": {"max_rss": size}}).worker.max_rss_bytes == 300 << 20


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, "name = '': must be letters"),
        ({"name": "../x"}, "name = '../x'"),
        ({"app": "blog.main"}, "app = 'blog.main': must be \"module:attribute\""),
        ({"directory": "current"}, "directory = 'current': must be an absolute path"),
        ({"bind": "3001"}, "bind = '3001': must be \"host:port\""),
        ({"bind": "127.0.0.1:0"}, "bind = '127.0.0.1:0'"),
        ({"bind": "127.0.0.1:70000"}, "bind = '127.0.0.1:70000'"),
        ({"bind": "unix:relative"}, "bind = 'unix:relative'"),
        ({"bind": "unix:/" + "x" * 107}, "bind = "),
        ({"bind": "::1:80"}, "bind = '::1:80'"),
        ({"workers": 0}, "workers = 0: must be a number from 1"),
        ({"workers": True}, "workers = True"),
        ({"workers": "2"}, "workers = '2'"),
        ({"env": {"A": 1}}, "env = ['A']: must be names with texts"),
        ({"env": {"A-B": "1"}}, "env = "),
        ({"env": ["A=1"]}, "env = ['A=1']: must be names with texts"),
        ({"env": {"A": "x\0"}}, "env = "),
        ({"heartbeat": {"path": "status"}}, "heartbeat.path = 'status': must be a path that begins"),
        ({"heartbeat": {"path": "/a b"}}, "heartbeat.path = '/a b'"),
        ({"heartbeat": {"accept": []}}, "heartbeat.accept = []"),
        ({"heartbeat": {"accept": [20]}}, "heartbeat.accept = [20]: must be a list of HTTP statuses"),
        ({"heartbeat": {"timeout": 0}}, "heartbeat.timeout = 0"),
        ({"heartbeat": {"interval": float("nan")}}, "heartbeat.interval = nan"),
        ({"heartbeat": 10}, "heartbeat = 10: must be a section, [heartbeat]"),
        ({"reload": {"surge": "two"}}, 'reload.surge = \'two\': must be "all" or "one"'),
        ({"worker": {"max_rss": "300"}}, "worker.max_rss = '300': must be bytes"),
        ({"worker": {"hang_timeout": 1}}, "worker.hang_timeout = 1: must be seconds, 2 to"),
        ({"uvicorn": {"workers": 4}}, "uvicorn.workers is not allowed: procmon sets it: see workers"),
        (
            {"uvicorn": {"ssl_keyfile": "/key"}},
            "uvicorn.ssl_keyfile is not allowed: procmon speaks plain HTTP, TLS belongs",
        ),
        ({"uvicorn": {"x": Path("/")}}, "uvicorn = "),
        ({"worker_count": 2}, "worker_count is not a key of procmon."),
        ({"worcers": 2}, "Did you mean workers?"),
        (
            {"heartbeat": {"intervall": 2}},
            "heartbeat.intervall is not a key of procmon. Did you mean heartbeat.interval?",
        ),
        ({"hartbeat": {}}, "Did you mean heartbeat?"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(change: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({**BASE, **change})
    assert error in str(caught.value)


@pytest.mark.parametrize("key", BASE)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is missing: it must be"):
        parse({name: value for name, value in BASE.items() if name != key})


def test_errors_begin_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "blog.toml"
    file.write_text("name = 'blog")
    with pytest.raises(ConfigError, match=f"^{file}: not valid TOML"):
        load(file)
    file.write_text("name = 'blog'")
    with pytest.raises(ConfigError, match=f"^{file}: app is missing"):
        load(file)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_the_digest_changes_with_the_file_and_with_the_state_of_its_env_file(tmp_path: Path) -> None:
    file, env_file = tmp_path / "blog.toml", tmp_path / "blog.env"
    text = "\n".join(f"{key} = '{value}'" for key, value in BASE.items())
    file.write_text(text)
    plain = load(file).digest
    file.write_text(f"{text}\nenv_file = '{env_file}'")
    absent = load(file).digest
    env_file.write_text("A=1")
    present = load(file).digest
    assert load(file).digest == present
    env_file.write_text("A=one")
    assert len({plain, absent, present, load(file).digest}) == 4


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [("name", "shop", '"blog" to "shop"'), ("bind", "[::1]:80", ":3001"), ("state_dir", "/run/x", "/run/procmon/blog")],
)
def test_a_change_of_what_others_know_it_by_requires_a_restart(key: str, value: str, shown: str) -> None:
    change = identity_error(parse(BASE).identity, parse({**BASE, key: value}))
    assert change.startswith(f"changing {key} from ")
    assert shown in change
    assert change.endswith("requires a restart of procmon")


def test_other_changes_require_no_restart() -> None:
    assert identity_error(parse(BASE).identity, parse({**BASE, "app": "x:x", "workers": 3, "env": {"A": "1"}})) == ""


@pytest.mark.parametrize(
    ("settings", "warned"),
    [({}, []), ({"worker": {"preload": True}}, ["worker.preload"])],
)
def test_a_removed_key_is_ignored_with_a_warning(settings: dict[str, object], warned: list[str]) -> None:
    assert [warning.split()[0] for warning in parse({**BASE, **settings}).warnings] == warned


def test_http2_may_be_turned_off() -> None:
    assert parse({**BASE, "uvicorn": {"http2": False}}).uvicorn == {"http2": False}


@pytest.mark.parametrize(("hang_timeout", "interval"), [(2, 1 / 3), (30, 5), (3600, 5)])
def test_the_tick_interval_is_a_part_of_the_hang_timeout(hang_timeout: int, interval: float) -> None:
    assert parse({**BASE, "worker": {"hang_timeout": hang_timeout}}).worker.tick_interval_seconds == interval
