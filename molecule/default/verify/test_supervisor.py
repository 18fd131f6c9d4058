"""procmon as a unit of systemd: what restarts, upgrades and deaths of it mean to users, who connect all the time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Laptop
from load import load
from procmon import main_pid, status, wait_for
from server import Server
from upstream import Upstream

BLOG = 3001
UNIT = "procmon@blog.service"


def wait_for_another(server: Server, pid: int) -> None:
    """Wait until another procmon than `pid` serves."""
    wait_for(
        lambda: status(server, "blog")["pid"] != pid and status(server, "blog")["state"] == "serving",
        "another serves",
        180,
    )


@pytest.fixture(scope="module", autouse=True)
def _served(laptop: Laptop, upstream: Callable[[str], Upstream]) -> None:
    """There is something to serve."""
    upstream("blog").publish("unsupervised")
    upstream("blog").publish("supervised")
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output


@pytest.fixture
def newer(laptop: Laptop, tmp_path: Path) -> Laptop:
    """A laptop with a newer collection, whose procmon is another build."""
    laptop, collection = laptop.with_collection_at(tmp_path)
    with (collection / "roles/supervisor/files/procmon/src/procmon/__init__.py").open("a") as code:
        code.write("# newer\n")
    return laptop


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
    assert status(web1, "blog")["build"] == build


def test_a_confined_procmon_watches_the_restart_file_and_warns_of_nothing(web1: Server) -> None:
    """inotify holds the watch: without it procmon would have to look for touches itself, and warn about that."""
    pid = main_pid(web1, "blog")
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
    before = main_pid(web1, "blog")
    with load(web1, BLOG) as report:
        web1.run("systemctl", "restart", UNIT)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []
    assert set(report.answers) == {"supervised"}
    assert main_pid(web1, "blog") != before


def test_a_stop_and_a_start_lose_nothing(web1: Server) -> None:
    with load(web1, BLOG) as report:
        web1.run("systemctl", "stop", UNIT)
        web1.run("systemctl", "start", UNIT)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_procmon_is_killed(web1: Server) -> None:
    """Its workers finish what they have; those who connect wait for the next procmon."""
    before = main_pid(web1, "blog")
    with load(web1, BLOG) as report:
        web1.run("kill", "-KILL", str(before))
        wait_for_another(web1, before)
        assert web1.get(BLOG) == "supervised"
    assert report.lost == []
    assert set(report.answers) == {"supervised"}


@pytest.mark.timeout(300)
def test_a_procmon_that_was_stopped_is_started_again(web1: Server) -> None:
    before = main_pid(web1, "blog")
    web1.run("kill", "-STOP", str(before))
    wait_for_another(web1, before)
    assert web1.get(BLOG) == "supervised"
    assert "Watchdog timeout" in web1.run("journalctl", "--unit", UNIT, "--output=cat", "--lines=200")


@pytest.mark.timeout(600)
def test_setup_in_check_mode_tells_and_changes_nothing(laptop: Laptop, newer: Laptop) -> None:
    """It finds nothing to change; with another procmon to install it reports that, and goes no further."""
    done = laptop.set_up("blog", "--check")
    assert (done.code, set(done.changed.values())) == (0, {0}), done.output
    done = newer.set_up("blog", "--check")
    assert done.code == 0, done.output
    assert "setup would install procmon" in done.output
    again = laptop.set_up("blog", "--check")
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
    before = status(web1, "blog")["generation"]
    with load(web1, BLOG) as report:
        web1.run("systemctl", "reload", UNIT)
        wait_for(
            lambda: status(web1, "blog")["generation"] > before and status(web1, "blog")["state"] == "serving",
            "it has reloaded",
        )
    assert report.lost == []


@pytest.mark.timeout(600)
def test_setup_with_another_procmon_upgrades_in_place_and_back(laptop: Laptop, newer: Laptop, web1: Server) -> None:
    pid, before = main_pid(web1, "blog"), status(web1, "blog")
    build, workers = before["build"], [one["pid"] for one in before["workers"]]
    unused = "/opt/procmon/unused/venv"
    web1.run("sh", "-c", f"mkdir -p {unused} && touch {unused}/pyvenv.cfg")
    with load(web1, BLOG) as report:
        done = newer.set_up("blog")
        assert done.code == 0, done.output
        assert status(web1, "blog")["build"] != build
        assert [one["pid"] for one in status(web1, "blog")["workers"]] == workers
        done = laptop.set_up("blog")
        assert done.code == 0, done.output
    assert report.lost == []
    assert set(report.answers) == {"supervised"}
    assert "unused" not in web1.run("ls", "/opt/procmon")
    assert (main_pid(web1, "blog"), status(web1, "blog")["build"]) == (pid, build)
    again = laptop.set_up("blog")
    assert set(again.changed.values()) == {0}, again.output


def test_uv_is_installed_once_for_all_projects(web1: Server) -> None:
    """By root, for each user."""
    uv = "/opt/procmon/tools/uv/bin/uv"
    assert web1.run("runuser", "-u", "deploy", "--", uv, "--version").startswith("uv ")
    assert web1.run("stat", "--format=%U", uv) == "root"
    assert web1.run("sh", "-c", "ls -d /srv/*/envs/.uv 2>/dev/null || true") == ""


@pytest.mark.timeout(300)
def test_a_second_setup_takes_few_remote_executions(laptop: Laptop, web1: Server) -> None:
    """As root and as the project's user together; the units are compared in one of them."""
    assert laptop.set_up("blog").code == 0
    sshd = web1.sshd()
    done = laptop.set_up("blog")
    assert (done.code, set(done.changed.values())) == (0, {0}), done.output
    assert sshd.executions() <= 10
    assert "blog is ready on " in done.output


@pytest.mark.timeout(600)
def test_changed_settings_are_taken_over_in_place(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    pid = main_pid(web1, "blog")
    with load(web1, BLOG) as report:
        done = laptop.with_settings(tmp_path, "blog", workers=3).set_up("blog")
        assert done.code == 0, done.output
        wait_for(lambda: len(status(web1, "blog")["workers"]) == 3, "there are three workers")
        done = laptop.set_up("blog")
        assert done.code == 0, done.output
        wait_for(lambda: len(status(web1, "blog")["workers"]) == 2, "there are two again")
    assert report.lost == []
    assert main_pid(web1, "blog") == pid


@pytest.mark.timeout(600)
def test_setup_refuses_a_taken_address_and_leaves_what_serves_alone(
    laptop: Laptop, web1: Server, tmp_path: Path
) -> None:
    """The holder is named; an address that the project's own socket covers is none."""
    taken = laptop.with_settings(tmp_path, "blog", bind="127.0.0.1:3999")
    pid, config = main_pid(web1, "blog"), web1.run("cat", "/etc/procmon/blog.toml")
    web1.run("systemd-run", "--unit=other", "--", "python3", "-m", "http.server", "--bind=127.0.0.1", "3999")
    wait_for(lambda: ":3999" in web1.run("ss", "--listening", "--tcp", "--numeric"), "the other one listens")
    done = taken.set_up("blog")
    assert done.code != 0
    assert "bind 127.0.0.1:3999 is taken by python3 (pid " in " ".join(done.output.split())
    assert "other.service" in done.output
    assert (main_pid(web1, "blog"), web1.run("cat", "/etc/procmon/blog.toml")) == (pid, config)
    assert web1.get(BLOG) == "supervised"
    web1.run("systemctl", "stop", "other")
    done = laptop.with_settings(tmp_path, "blog", bind=f"0.0.0.0:{BLOG}").set_up("blog")
    assert done.code == 0, done.output
    assert web1.get_within(60, BLOG) == "supervised"
    done = laptop.set_up("blog")
    assert done.code == 0, done.output
    assert web1.get_within(60, BLOG) == "supervised"
