"""procmon replaced in its own process, while users are served by workers that notice nothing."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from procmon.client import PENDING

from tests.support.procmon.builds import EXHAUST, REFUSE, VANISH, Builds
from tests.support.procmon.footprint import Footprint, footprint, holds_no_more
from tests.support.procmon.load import load, lost
from tests.support.procmon.service import APP, Service, Start, alive
from tests.support.waiting import until

KINDS = {5: REFUSE, 11: VANISH}
ROUNDS = 10


def fds(s: Service) -> int:
    """Count procmon's open files."""
    assert s.process
    return len(list(Path(f"/proc/{s.process.pid}/fd").iterdir()))


def children(s: Service) -> list[str]:
    """Return procmon's children."""
    assert s.process
    return Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children").read_text().split()


def wait_for(s: Service, upgrades: int, generation: int) -> None:
    """Wait until so many upgrades were answered, and `generation` serves."""
    until(lambda: s.status()["upgrade"]["number"] == upgrades, "the upgrade was answered")
    until(lambda: s.status()["generation"] >= generation and s.status()["state"] == "serving", "it has reloaded")


def test_twenty_upgrades_under_load_lose_nothing_and_keep_process_and_workers(service: Start) -> None:
    s = service(heartbeat={"interval": 0.5})
    builds = Builds(s)
    s.start()
    pid, workers, builds_seen = s.status()["pid"], s.pids(), [s.status()["build"]]
    with load(s, 1, 1) as users:
        for number in range(20):
            builds.install(KINDS.get(number, ""))
            done = s.run("upgrade", "--wait")
            assert done.returncode == (1 if number in KINDS else 0), done.stderr + s.log()
            builds_seen.append(s.status()["build"])
            for user in users:
                user.wait_for_more()
    assert lost(users) == []
    assert s.status()["pid"] == pid
    assert s.pids() == workers
    assert len(set(builds_seen)) == 19
    assert s.status()["upgrade"]["number"] == 20


def test_upgrades_leave_no_open_files_behind(service: Start) -> None:
    s = service(heartbeat={"interval": 0})
    builds = Builds(s)
    s.start()
    before = until(lambda: fds(s), "it runs")
    for first in ("", REFUSE, VANISH, "", ""):
        builds.install(first)
        s.run("upgrade", "--wait")
    until(lambda: fds(s) <= before, "no more files are open than before")


def test_many_upgrades_and_reloads_leave_the_master_as_small_as_it_was(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0})
    builds = Builds(s)
    s.start()
    assert s.process
    found: list[Footprint] = []
    pid = s.process.pid
    for _ in range(ROUNDS):
        builds.install()
        builds.upgrade()
        assert s.touch()["result"] == "ok"
        until(lambda: len(s.status()["workers"]) == len(children(s)) == 1, "the old worker has gone")
        found.append(footprint(pid))
        until(lambda: holds_no_more(pid, found[0]), "descriptors, threads and children are as before")
    assert found[-1].rss_bytes < found[0].rss_bytes + (4 << 20)


def test_the_successor_has_the_state_of_its_predecessor(service: Start) -> None:
    s = service(heartbeat={"interval": 0.2})
    builds = Builds(s)
    s.start()
    assert s.deploy("b", code="import nothing_of_this_name\n")["result"] == "failed"
    until(lambda: len(s.status()["workers"]) == 2 and s.status()["heartbeat"]["status"], "it is calm")
    before = s.status()
    builds.install()
    after = builds.upgrade()
    same = ("pid", "generation", "release", "commit", "restart", "state")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert [(one["pid"], one["started"]) for one in after["workers"]] == [
        (one["pid"], one["started"]) for one in before["workers"]
    ]
    assert after["build"] != before["build"]
    assert s.version() == "a"
    assert s.deploy("c")["result"] == "ok", "and it reloads as ever"
    s.wait_version("c")
    until(lambda: not any(alive(one["pid"]) for one in before["workers"]), "the adopted workers have ended")


@pytest.mark.parametrize(("first", "why"), [(REFUSE, "this build has no dependencies"), (VANISH, "Permission denied")])
def test_a_successor_that_cannot_take_over_changes_nothing(service: Start, first: str, why: str) -> None:
    s = service()
    builds = Builds(s)
    s.start()
    before = s.status()
    builds.install(first)
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["result"] == "failed", "it was tried")
    assert why in s.status()["upgrade"]["error"]
    assert why in s.log()
    assert (s.status()["build"], s.pids()) == (before["build"], [one["pid"] for one in before["workers"]])
    assert s.deploy("b")["result"] == "ok"


def test_an_upgrade_without_a_descriptor_left_is_answered(service: Start) -> None:
    s = service()
    builds = Builds(s)
    s.start()
    assert s.process
    limits = resource.prlimit(s.process.pid, resource.RLIMIT_NOFILE)
    builds.install(EXHAUST)
    s.signal(signal.SIGUSR2)
    until(lambda: "upgrade failed, still running the current version: " in s.log(), "it was tried")
    resource.prlimit(s.process.pid, resource.RLIMIT_NOFILE, limits)
    until(lambda: s.status()["upgrade"]["result"] == "failed", "it is answered")
    assert "Too many open files" in s.status()["upgrade"]["error"]
    builds.install()
    assert builds.upgrade()["upgrade"]["result"] == "ok"


def test_a_successor_of_another_format_is_refused_before_anything_is_given_up(service: Start) -> None:
    s = service()
    builds = Builds(s)
    s.start()
    handover = builds.install() / "procmon" / "master" / "handover.py"
    handover.write_text(handover.read_text().replace("FORMAT = 2\n", "FORMAT = 3\n"))
    done = s.run("upgrade", "--wait")
    assert done.returncode == 1
    assert "hands over format 2, not 1 or 3" in done.stderr
    assert s.version() == "a"


def test_what_happens_during_the_exec_is_noticed_after_it(service: Start) -> None:
    """A touch, a worker that dies, and requests at the same time."""
    s = service()
    builds = Builds(s)
    s.start()
    go = builds.upgrade_until_it_waits()
    victim = s.pids()[0]
    s.release("b")
    s.switch("b")
    s.restart_file.touch()
    stamp = s.restart_file.stat().st_mtime_ns
    os.kill(victim, signal.SIGKILL)
    assert s.version() == "a", "the other worker serves"
    go.touch()
    until(lambda: s.status()["restart"]["stamp"] == stamp, "the touch is answered")
    assert s.status()["restart"]["result"] == "ok"
    s.wait_version("b")
    until(lambda: not Path(f"/proc/{victim}").exists(), "the dead worker is reaped")
    until(lambda: len(s.status()["workers"]) == 2, "two workers serve")


@pytest.mark.parametrize("count", [1, 3])
def test_a_sighup_during_the_exec_reloads(service: Start, count: int) -> None:
    s = service()
    builds = Builds(s)
    s.start()
    go = builds.upgrade_until_it_waits()
    for _ in range(count):
        s.signal(signal.SIGHUP)
    go.touch()
    until(lambda: s.status()["generation"] > 1 and s.status()["state"] == "serving", "it has reloaded")
    assert s.status()["upgrade"]["result"] == "ok"


def test_a_sigterm_during_the_exec_stops(service: Start) -> None:
    s = service()
    builds = Builds(s)
    s.start()
    workers = s.pids()
    go = builds.upgrade_until_it_waits()
    s.signal(signal.SIGTERM)
    go.touch()
    assert s.wait_exit() == 0
    assert not any(alive(pid) for pid in workers)


def test_signals_in_a_row_with_upgrades_are_all_survived(service: Start) -> None:
    """Wherever in an upgrade they fall."""
    s = service()
    builds = Builds(s)
    s.start()
    with load(s, 1, 1) as users:
        for number in range(8):
            builds.install()
            before = s.status()["generation"]
            s.signal(signal.SIGUSR2)
            user = users[number % len(users)]
            user.wait_for_more(1 + 7 * number)
            s.signal(signal.SIGHUP)
            wait_for(s, number + 1, before + 1)
    assert lost(users) == []
    assert s.status()["upgrade"]["result"] == "ok"


def test_a_draining_worker_is_kept_over_an_upgrade(service: Start, tmp_path: Path) -> None:
    s = service(workers=1)
    builds = Builds(s)
    s.start()
    with s.hold(tmp_path / "barrier") as request:
        old = s.pids()[0]
        assert s.deploy("b")["result"] == "ok"
        until(lambda: s.pids("draining") == [old], "the old worker drains")
        builds.install()
        builds.upgrade()
        assert s.pids("draining") == [old]
        request.go()
        assert request.answer() == (200, "a")
    until(lambda: not Path(f"/proc/{old}").exists(), "it has ended and is reaped")
    until(lambda: len(s.status()["workers"]) == 1, "and forgotten")


def test_an_upgrade_waits_for_a_rollout_to_end(service: Start) -> None:
    s = service(workers=1)
    builds = Builds(s)
    s.start()
    b = s.begin("b")
    s.wait_state("reloading")
    before = s.status()["build"]
    builds.install()
    s.signal(signal.SIGUSR2)
    s.get()
    assert (s.status()["state"], s.status()["build"]) == ("reloading", before)
    (b / "go").touch()
    until(lambda: s.status()["build"] != before, "then it is done")
    assert s.status()["restart"]["result"] == "ok"
    s.wait_version("b")


# -- the command ------------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_nothing_differs(service: Start) -> None:
    s = service()
    Builds(s)
    s.start()
    done = s.run("upgrade", "--wait")
    assert done.returncode == 0
    assert "already runs" in done.stdout
    assert s.status()["upgrade"]["number"] == 0


def test_without_a_procmon_it_says_how_to_start_it(service: Start) -> None:
    done = service().run("upgrade", "--wait")
    assert done.returncode == 1
    assert "Start it with: " in done.stderr


def test_a_changed_configuration_is_taken_over_the_same_way(service: Start) -> None:
    s = service(workers=3, env={"COLOUR": "red"})
    s.start()
    pid = s.status()["pid"]
    s.config.write_text(s.config.read_text().replace("red", "blue").replace("workers = 3", "workers = 1"))
    with load(s, 1, 1) as users:
        done = s.run("upgrade", "--wait")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        until(lambda: len(s.status()["workers"]) == 1, "there is one worker now")
    assert lost(users) == []
    assert s.get()[2] == "blue"
    assert s.status()["pid"] == pid
    s.config.write_text(s.config.read_text().replace("workers = 1", "workers = 2"))
    assert s.run("upgrade", "--wait").returncode == 0
    until(lambda: len(s.pids()) == 2 and len(s.status()["workers"]) == 2, "there are two now")


def test_a_newer_build_and_another_configuration_come_together(service: Start) -> None:
    """The number of workers, their environment and the app itself: one reload brings them all."""
    s = service(workers=2, env={"COLOUR": "red"})
    builds = Builds(s)
    s.start()
    before = s.status()
    (s.current / "other_app.py").write_text(APP.read_text().replace('(HERE / "VERSION").read_text()', '"other"'))
    changed = s.config.read_text().replace("red", "blue").replace("workers = 2", "workers = 3")
    s.config.write_text(changed.replace("site_app:app", "other_app:app"))
    builds.install()
    with load(s, 1, 1) as users:
        after = builds.upgrade()
        until(lambda: len(s.status()["workers"]) == 3, "the old workers have gone")
        for user in users:
            user.wait_for("other")
    assert lost(users) == []
    assert (after["pid"], s.status()["generation"]) == (before["pid"], before["generation"] + 1)
    assert after["build"] != before["build"]
    assert s.get()[2] == "blue"
    assert s.status()["config_digest"] == s.status()["active_config_digest"] != before["config_digest"]


def test_a_configuration_with_which_the_app_cannot_start_is_reported_and_the_old_workers_go_on(service: Start) -> None:
    s = service().start()
    workers = s.pids()
    app = s.current / "site_app.py"
    works = app.read_text()
    app.write_text("raise SystemExit('a setting is missing')")
    s.config.write_text(s.config.read_text().replace("workers = 2", "workers = 1"))
    for _ in range(2):
        done = s.run("upgrade", "--wait")
        assert done.returncode == 1, "also when it is asked again"
        assert "reload failed" in done.stderr
        assert s.pids() == workers
    app.write_text(works)
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(s.pids()) == 2 and workers[0] not in s.pids(), "another one is started as the old ones were")
    s.config.write_text(s.config.read_text().replace("workers = 1", "workers = 2"))
    serving = s.pids()
    assert s.run("upgrade", "--wait").returncode == 0
    assert s.pids() == serving, "they were started by this configuration"
    assert s.deploy("b")["result"] == "ok"


def test_an_app_that_was_renamed_waits_for_the_release_that_has_it(service: Start) -> None:
    """First the configuration, then the deploy: neither of them fails, and what is live serves on in between."""
    s = service().start()
    workers = s.pids()
    s.config.write_text(s.config.read_text().replace("site_app:app", "renamed:app"))
    for _ in range(2):
        done = s.run("upgrade", "--wait")
        assert done.returncode == PENDING, "also when it is asked again"
        assert (
            "renamed:app does not start from the live release, which still serves site_app:app. Deploy" in done.stderr
        )
        assert s.pids() == workers
    assert s.status()["active_app"] == "site_app:app"
    (s.release("b") / "site_app.py").rename(s.root / "releases/b/renamed.py")
    s.switch("b")
    reloaded = s.run("reload", "--wait")
    assert reloaded.returncode == 0, reloaded.stderr
    assert (s.version(), s.status()["active_app"]) == ("b", "renamed:app")


def test_a_release_whose_interpreter_is_gone_waits_for_the_next_deploy(service: Start) -> None:
    """After an upgrade of the system setup must come to its end: the next deploy builds the environment again."""
    s = service(workers=1)
    Builds(s)
    python = s.current / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/python3.0")
    s.start("failed")
    done = s.run("upgrade", "--wait")
    assert done.returncode == PENDING, done.stderr
    assert f"{python.parent.resolve()}/python does not exist or cannot be executed" in done.stderr
    assert "Deploy it again: that builds its environment" in done.stderr


def test_another_address_takes_a_restart(service: Start) -> None:
    s = service().start()
    s.config.write_text(s.config.read_text().replace(f"127.0.0.1:{s.port}", "127.0.0.2:1"))
    done = s.run("upgrade", "--wait")
    assert done.returncode == 1
    assert 'to "127.0.0.2:1" requires a restart' in done.stderr
    assert "requires a restart" in done.stderr
    assert s.version() == "a"


def test_where_nothing_serves_an_upgrade_tries_again_and_says_how_that_ended(service: Start) -> None:
    s = service(app="site_app:nothing")
    Builds(s)
    s.start("failed")
    for _ in range(2):
        done = s.run("upgrade", "--wait")
        assert done.returncode == 1, done.stdout
        assert "reload failed" in done.stderr
    app = s.current / "site_app.py"
    app.write_text(app.read_text() + "\nnothing = app\n")
    assert s.run("upgrade", "--wait").returncode == 0
    assert s.version() == "a"


def test_without_a_release_there_is_nothing_to_try_again(service: Start) -> None:
    s = service(app="site_app:nothing")
    Builds(s)
    s.start("failed")
    s.current.unlink()
    s.wait_state("waiting")
    assert "already runs" in s.run("upgrade", "--wait").stdout
