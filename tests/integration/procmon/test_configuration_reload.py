"""A reload reads the configuration again: what a real procmon makes of a changed one, and of one that is invalid."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.procmon.builds import Builds
from tests.support.procmon.load import load, lost
from tests.support.procmon.service import Service, Start
from tests.support.waiting import until

Reload = Callable[[Service], dict[str, Any]]


def hup(s: Service) -> dict[str, Any]:
    """Reload by SIGHUP and return the answer, which has the stamp of the last touch."""
    before = s.status()["restart"]
    s.signal(signal.SIGHUP)
    until(lambda: s.status()["restart"] != before and s.status()["state"] == "serving", "the reload is answered")
    answer: dict[str, Any] = s.status()["restart"]
    return answer


RELOADS = pytest.mark.parametrize("reload", [Service.touch, hup], ids=["touch", "SIGHUP"])


@RELOADS
def test_new_settings_serve_with_the_new_generation_and_nothing_is_lost(service: Start, reload: Reload) -> None:
    s = service(workers=1, env={"COLOUR": "red"}, heartbeat={"interval": 0}).start()
    assert s.get("/version")[2] == "red"
    with load(s) as users:
        s.configure(workers=3, env={"COLOUR": "blue"}, heartbeat={"interval": 1, "path": "/version"})
        assert reload(s)["result"] == "ok"
        until(lambda: len(s.pids()) == 3, "three workers serve")
        s.configure(workers=2)
        assert reload(s)["result"] == "ok"
        until(lambda: len(s.pids()) == 2, "two workers serve")
        for user in users:
            user.wait_for_more()
    assert lost(users) == []
    until(lambda: s.get("/version")[2] == "blue", "the new environment answers")
    until(lambda: s.status()["heartbeat"]["status"] == 200, "the new heartbeat is sent")
    found = s.status()
    assert found["config_digest"] == found["active_config_digest"]


def test_an_app_that_is_renamed_goes_live_with_its_configuration(service: Start) -> None:
    s = service(heartbeat={"interval": 0}).start()
    release = s.release("b")
    (release / "site_app.py").rename(release / "renamed.py")
    s.switch("b")
    s.configure(app="renamed:app")
    assert s.touch()["result"] == "ok"
    s.wait_version("b")


def test_an_env_file_is_read_again(service: Start, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("COLOUR=red\n")
    s = service(env_file=str(file), heartbeat={"interval": 0}).start()
    digest = s.status()["active_config_digest"]
    file.write_text("COLOUR=green\n")
    assert s.touch()["result"] == "ok"
    until(lambda: s.get("/version")[2] == "green", "the new value is used")
    assert s.status()["active_config_digest"] != digest


def test_the_configuration_of_a_release_goes_live_with_it_where_its_name_is_a_link(service: Start) -> None:
    """As deploys lay it out: the release's own link leads to its configuration."""
    s = service(heartbeat={"interval": 0})
    release, other = s.root / "releases" / "a", s.release("b")
    for number, place in enumerate((release, other), 1):
        s.configure(workers=number)
        s.config.rename(place / ".procmon.toml")
    s.config.symlink_to(s.current / ".procmon.toml")
    s.switch("a")
    s.start()
    assert s.status()["active_config_file"] == str(release.resolve() / ".procmon.toml")
    s.switch("b")
    assert s.touch()["result"] == "ok"
    s.wait_version("b")
    until(lambda: len(s.pids()) == 2, "the number of workers that b has")
    assert s.status()["active_config_file"] == str(other.resolve() / ".procmon.toml")
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["number"] == 1, "the upgrade is answered")
    assert s.status()["active_config_file"] == str(other.resolve() / ".procmon.toml")


def break_syntax(s: Service) -> str:
    s.config.write_text("name = ")
    return "not valid TOML"


def break_value(s: Service) -> str:
    s.configure(workers=0)
    return "workers = 0: must be a number from 1 to 512"


def remove_file(s: Service) -> str:
    s.config.unlink()
    return "cannot be read: No such file or directory"


def change_bind(s: Service) -> str:
    s.configure(bind="127.0.0.1:1")
    return f'changing bind from "127.0.0.1:{s.port}" to "127.0.0.1:1" requires a restart'


def change_name(s: Service) -> str:
    s.configure(name="shop")
    return 'changing name from "blog" to "shop" requires a restart'


def change_state_dir(s: Service) -> str:
    s.configure(state_dir=str(s.root / "other"))
    return f'to "{s.root}/other" requires a restart'


CHANGES = [break_syntax, break_value, remove_file, change_bind, change_name, change_state_dir]


@RELOADS
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_configuration_that_cannot_be_used_fails_the_reload_and_changes_nothing(
    service: Start, change: Callable[[Service], str], reload: Reload
) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    before, settings = s.status(), dict(s.settings)
    s.release("b")
    s.switch("b")
    reason = change(s)
    answer = reload(s)
    assert answer["result"] == "failed"
    assert reason in answer["error"]
    assert reason in s.log()
    after = s.status()
    for key in ("name", "pid", "state", "generation", "release", "active_config_digest"):
        assert after[key] == before[key]
    assert [worker["pid"] for worker in after["workers"]] == [worker["pid"] for worker in before["workers"]]
    assert s.version() == "a"
    s.settings.clear()
    s.configure(**settings)
    assert s.touch()["result"] == "ok"
    s.wait_version("b")


def test_another_restart_file_is_watched_once_the_reload_has_read_it(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    other = s.root / "elsewhere"
    other.touch()
    s.configure(restart_file=str(other))
    s.signal(signal.SIGHUP)
    until(lambda: s.status()["generation"] == 2 and s.status()["state"] == "serving", "it has reloaded")
    s.restart_file = other
    assert s.deploy("b")["result"] == "ok"
    s.wait_version("b")


def test_a_key_of_an_earlier_version_is_ignored_with_a_warning(service: Start) -> None:
    s = service(workers=1, worker={"preload": True}, heartbeat={"interval": 0}).start()
    assert "worker.preload was removed and is ignored" in s.log()
    assert "warning: worker.preload was removed" in s.run("check").stdout


def test_the_command_reloads_also_when_the_configuration_names_another_restart_file(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    for name in ("another", "yet another"):
        s.configure(restart_file=str(s.root / name))
        done = s.run("reload", "--wait")
        assert (done.returncode, done.stderr) == (0, "")
        assert s.status()["restart_file"] == str(s.root / name)


def test_the_command_learns_that_such_a_reload_has_failed(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    s.configure(restart_file=str(s.root / "another"), directory=str(s.root / "missing"))
    done = s.run("reload", "--wait")
    assert done.returncode == 1
    assert "missing' does not exist" in done.stderr


def break_identity(s: Service) -> str:
    s.configure(bind="127.0.0.1:1")
    return "requires a restart"


@pytest.mark.parametrize("damage", [break_syntax, break_value, break_identity])
def test_one_that_is_damaged_at_the_moment_of_an_upgrade_does_not_end_the_service(
    service: Start, damage: Callable[[Service], str]
) -> None:
    s = service(workers=1, env={"COLOUR": "red"}, heartbeat={"interval": 0})
    good = dict(s.settings)
    builds = Builds(s)
    s.start()
    go = builds.upgrade_until_it_waits()
    why = damage(s)
    go.touch()
    until(lambda: s.status()["upgrade"]["number"] == 1, "it has upgraded")
    assert why in s.log()
    assert s.touch()["result"] == "failed"
    s.write_config(good)
    assert s.deploy("b")["result"] == "ok"
    until(lambda: s.get("/version")[0::2][:2] == ["b", "red"], "it serves on")
