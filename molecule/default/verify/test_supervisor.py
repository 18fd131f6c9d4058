"""procmon as a unit of systemd: what restarts, upgrades and deaths of it mean to users, who connect all the time."""

from __future__ import annotations

import json
import shutil
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Done, Laptop
from load import load
from server import Server
from upstream import Upstream

BLOG = 3001
UNIT = "procmon@blog.service"


def main_pid(server: Server) -> int:
    """The process that systemd takes for the service."""
    return int(server.run("systemctl", "show", "--property=MainPID", "--value", UNIT))


def status(server: Server) -> dict[str, Any]:
    """What procmon reports about itself."""
    found: dict[str, Any] = json.loads(server.run("cat", "/run/procmon/blog/status.json"))
    return found


def builds(server: Server) -> list[str]:
    """The installed builds of procmon; beside them is uv, for all projects of the server."""
    return server.run(
        "find", "/opt/procmon", "-mindepth", "1", "-maxdepth", "1", "-type", "d", "!", "-name", "tools"
    ).splitlines()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def wait_for_another(server: Server, pid: int) -> None:
    """Wait until another procmon than `pid` serves."""
    wait_for(lambda: status(server)["pid"] != pid and status(server)["state"] == "serving", "another serves", 180)


@pytest.fixture(scope="module", autouse=True)
def _served(laptop: Laptop, upstream: Callable[[str], Upstream]) -> None:
    """There is something to serve."""
    upstream("blog").publish("unsupervised")
    upstream("blog").publish("supervised")
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output


def with_collection_at(laptop: Laptop, directory: Path) -> tuple[Laptop, Path]:
    """Return the laptop with a copy of the collection, and where that is."""
    collection = directory / "ansible_collections" / "onetouch" / "deploy"
    collection.mkdir(parents=True)
    for part in ("galaxy.yml", "meta", "plugins", "roles", "playbooks"):
        source = laptop.checkout / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, collection / part)
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(directory)}
    return replace(laptop, environment=laptop.environment | paths), collection


@pytest.fixture
def newer(laptop: Laptop, tmp_path: Path) -> Laptop:
    """A laptop with a newer collection, whose procmon is another build."""
    laptop, collection = with_collection_at(laptop, tmp_path)
    with (collection / "roles/supervisor/files/procmon/src/procmon/__init__.py").open("a") as code:
        code.write("# newer\n")
    return laptop


@pytest.fixture
def with_0_1(laptop: Laptop, tmp_path: Path) -> Laptop:
    """A laptop whose collection has procmon 0.1.0, of before its master ran on asyncio."""
    laptop, collection = with_collection_at(laptop, tmp_path)
    shutil.rmtree(collection / "roles/supervisor/files/procmon/src")
    with tarfile.open(laptop.checkout / "tests/support/procmon/builds/procmon-0.1.0.tar.gz") as archive:
        archive.extractall(collection, filter="data")
    return laptop


def set_up(laptop: Laptop, directory: Path) -> Done:
    """Run setup for blog as the scenario did."""
    key = json.loads((directory / "servers.json").read_text())["upstream_key"]
    known = json.dumps({"project_known_hosts": [f"upstream {key}"]})
    return laptop.run("setup", "-e", known, project="blog")


def test_systemd_holds_the_socket_and_the_unit_is_confined(web1: Server) -> None:
    assert web1.run("systemctl", "is-active", "procmon@blog.socket") == "active"
    shown = web1.run("systemctl", "show", UNIT).splitlines()
    assert {
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "OOMPolicy=continue",
        "KillMode=control-group",
        "User=deploy",
    } <= set(shown)


def test_the_build_that_runs_is_the_one_that_setup_installed(web1: Server) -> None:
    build = web1.run("readlink", "/opt/procmon/current")
    assert web1.run("/opt/procmon/current/venv/bin/procmon", "--version").endswith(f"({build})")
    assert status(web1)["build"] == build


def test_a_confined_procmon_watches_the_restart_file_and_warns_of_nothing(web1: Server) -> None:
    """inotify holds the watch: without it procmon would have to look for touches itself, and warn about that."""
    pid = main_pid(web1)
    assert "notify-rs inoti" in web1.run("sh", "-c", f"cat /proc/{pid}/task/*/comm")
    assert json.loads(web1.run("/opt/procmon/current/venv/bin/procmon", "status", "--json"))[0]["state"] == "serving"
    lines = web1.run(
        "journalctl",
        "--unit",
        UNIT,
        "--output=cat",
        "--priority=warning..warning",
        "--identifier=procmon",
        f"_PID={pid}",
    )
    assert lines in ("", "-- No entries --")


def test_a_restart_of_the_service_loses_nothing(web1: Server) -> None:
    before = main_pid(web1)
    with load(web1, BLOG) as report:
        web1.run("systemctl", "restart", UNIT)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []
    assert set(report.answers) == {"supervised"}
    assert main_pid(web1) != before


def test_a_stop_and_a_start_lose_nothing(web1: Server) -> None:
    with load(web1, BLOG) as report:
        web1.run("systemctl", "stop", UNIT)
        web1.run("systemctl", "start", UNIT)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_procmon_is_killed(web1: Server) -> None:
    """Its workers finish what they have; those who connect wait for the next procmon."""
    before = main_pid(web1)
    with load(web1, BLOG) as report:
        web1.run("kill", "-KILL", str(before))
        wait_for_another(web1, before)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []
    assert set(report.answers) == {"supervised"}


@pytest.mark.timeout(300)
def test_a_procmon_that_was_stopped_is_started_again(web1: Server) -> None:
    before = main_pid(web1)
    web1.run("kill", "-STOP", str(before))
    wait_for_another(web1, before)
    assert web1.get(BLOG) == "supervised"
    assert "Watchdog timeout" in web1.run("journalctl", "--unit", UNIT, "--output=cat", "--lines=200")


@pytest.mark.timeout(600)
def test_setup_in_check_mode_tells_and_changes_nothing(laptop: Laptop, newer: Laptop, directory: Path) -> None:
    """It finds nothing to change; with another procmon to install it reports that, and goes no further."""
    key = json.loads((directory / "servers.json").read_text())["upstream_key"]
    known = json.dumps({"project_known_hosts": [f"upstream {key}"]})
    done = laptop.run("setup", "--check", "-e", known, project="blog")
    assert (done.code, set(done.changed.values())) == (0, {0}), done.output
    done = newer.run("setup", "--check", "-e", known, project="blog")
    assert done.code == 0, done.output
    assert "setup would install procmon" in done.output
    again = laptop.run("setup", "--check", "-e", known, project="blog")
    assert set(again.changed.values()) == {0}, again.output


def test_the_journal_knows_how_serious_a_line_is(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]
) -> None:
    upstream("blog").publish("broken")
    assert laptop.run("deploy", project="blog").code != 0
    upstream("blog").publish("supervised")
    assert laptop.run("deploy", project="blog").code == 0
    shown = ("journalctl", "--unit", UNIT, "--output=cat", "--lines=300")
    errors, all_lines = web1.run(*shown, "--priority=err"), web1.run(*shown)
    assert "reload failed" in errors
    assert "serves after" not in errors
    assert "procmon: INFO: generation" in all_lines
    assert "<6>" not in all_lines


def test_systemctl_reload_reloads_and_loses_nothing(web1: Server) -> None:
    before = status(web1)["generation"]
    with load(web1, BLOG) as report:
        web1.run("systemctl", "reload", UNIT)
        wait_for(lambda: status(web1)["generation"] > before and status(web1)["state"] == "serving", "it has reloaded")
    assert report.lost == []


@pytest.mark.timeout(600)
def test_setup_with_another_procmon_upgrades_in_place_and_back(
    laptop: Laptop, newer: Laptop, web1: Server, directory: Path
) -> None:
    pid, build, workers = main_pid(web1), status(web1)["build"], [one["pid"] for one in status(web1)["workers"]]
    unused = "/opt/procmon/unused/venv"
    web1.run("sh", "-c", f"mkdir -p {unused} && touch {unused}/pyvenv.cfg")
    with load(web1, BLOG) as report:
        done = set_up(newer, directory)
        assert done.code == 0, done.output
        assert status(web1)["build"] != build
        assert [one["pid"] for one in status(web1)["workers"]] == workers
        done = set_up(laptop, directory)
        assert done.code == 0, done.output
    assert report.lost == []
    assert set(report.answers) == {"supervised"}
    assert "unused" not in web1.run("ls", "/opt/procmon")
    assert (main_pid(web1), status(web1)["build"]) == (pid, build)
    again = set_up(laptop, directory)
    assert set(again.changed.values()) == {0}, again.output


@pytest.mark.timeout(600)
def test_setup_upgrades_procmon_0_1_in_place(laptop: Laptop, with_0_1: Laptop, web1: Server, directory: Path) -> None:
    """It is not taken back in place, which setup reports; only a restart brings it."""
    done = set_up(with_0_1, directory)
    assert done.code != 0
    assert "blog: upgrade failed, " in done.output
    with load(web1, BLOG) as report:
        web1.run("systemctl", "restart", UNIT)
        old = status(web1)
        assert old["version"] == "0.1.0"
        done = set_up(laptop, directory)
        assert done.code == 0, done.output
        new = status(web1)
        assert new["version"] != "0.1.0"
        assert [one["pid"] for one in new["workers"]] == [one["pid"] for one in old["workers"]]
        assert len(builds(web1)) == 2, "the old workers still use the other one"
        web1.run("systemctl", "reload", UNIT)
        wait_for(lambda: status(web1)["generation"] > new["generation"], "it has reloaded")
    assert report.lost == []
    assert main_pid(web1) == old["pid"] == status(web1)["pid"]
    assert set_up(laptop, directory).code == 0
    assert len(builds(web1)) == 1, "the old workers have gone, and their build with them"


def test_uv_is_installed_once_for_all_projects(web1: Server) -> None:
    """By root, for each user."""
    uv = "/opt/procmon/tools/uv/bin/uv"
    assert web1.run("runuser", "-u", "deploy", "--", uv, "--version").startswith("uv ")
    assert web1.run("stat", "--format=%U", uv) == "root"
    assert web1.run("sh", "-c", "ls -d /srv/*/envs/.uv 2>/dev/null || true") == ""


@pytest.mark.timeout(300)
def test_a_second_setup_takes_few_remote_executions(laptop: Laptop, web1: Server, directory: Path) -> None:
    """As root and as the project's user together; the units are compared in one of them."""
    assert set_up(laptop, directory).code == 0
    sshd = web1.sshd()
    done = set_up(laptop, directory)
    assert (done.code, set(done.changed.values())) == (0, {0}), done.output
    assert sshd.executions() <= 10
    assert "blog is ready on " in done.output


@pytest.mark.timeout(600)
def test_changed_settings_are_taken_over_in_place(
    laptop: Laptop, web1: Server, directory: Path, tmp_path: Path
) -> None:
    inventory = yaml.safe_load(laptop.inventory.read_text())
    inventory["projects"]["blog"]["workers"] = 3
    changed = tmp_path / "projects.yml"
    changed.write_text(yaml.safe_dump(inventory))
    pid = main_pid(web1)
    with load(web1, BLOG) as report:
        done = set_up(replace(laptop, inventory=changed), directory)
        assert done.code == 0, done.output
        wait_for(lambda: len(status(web1)["workers"]) == 3, "there are three workers")
        done = set_up(laptop, directory)
        assert done.code == 0, done.output
        wait_for(lambda: len(status(web1)["workers"]) == 2, "there are two again")
    assert report.lost == []
    assert main_pid(web1) == pid


@pytest.mark.timeout(600)
def test_setup_refuses_a_taken_address_and_leaves_what_serves_alone(
    laptop: Laptop, web1: Server, directory: Path, tmp_path: Path
) -> None:
    """The holder is named; an address that the project's own socket covers is none."""
    inventory = yaml.safe_load(laptop.inventory.read_text())
    inventory["projects"]["blog"]["bind"] = "127.0.0.1:3999"
    changed = tmp_path / "projects.yml"
    changed.write_text(yaml.safe_dump(inventory))
    pid, config = main_pid(web1), web1.run("cat", "/etc/procmon/blog.toml")
    web1.run("systemd-run", "--unit=other", "--", "python3", "-m", "http.server", "--bind=127.0.0.1", "3999")
    wait_for(lambda: ":3999" in web1.run("ss", "--listening", "--tcp", "--numeric"), "the other one listens")
    done = set_up(replace(laptop, inventory=changed), directory)
    assert done.code != 0
    assert "bind 127.0.0.1:3999 is taken by python3 (pid " in " ".join(done.output.split())
    assert "other.service" in done.output
    assert (main_pid(web1), web1.run("cat", "/etc/procmon/blog.toml")) == (pid, config)
    assert web1.get(BLOG) == "supervised"
    web1.run("systemctl", "stop", "other")
    inventory["projects"]["blog"]["bind"] = f"0.0.0.0:{BLOG}"
    changed.write_text(yaml.safe_dump(inventory))
    done = set_up(replace(laptop, inventory=changed), directory)
    assert done.code == 0, done.output
    assert web1.get_within(60, BLOG) == "supervised"
    done = set_up(laptop, directory)
    assert done.code == 0, done.output
    assert web1.get_within(60, BLOG) == "supervised"
