"""procmon as its users meet it: real processes, a real port, real signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from procmon import cli, client

from tests.support.procmon.load import Users
from tests.support.procmon.service import Start, alive
from tests.support.waiting import until

BROKEN = "import nothing_of_this_name\n"


def test_it_serves_the_release_in_its_directory_with_its_environment(service: Start) -> None:
    s = service(env={"COLOUR": "green"}).start()
    version, pid, colour, cwd, first = s.get()
    assert (version, colour) == ("a", "green")
    assert cwd == first == str(s.root / "releases" / "a")
    assert int(pid) in s.pids()
    assert s.status()["release"] == cwd


def test_a_touch_after_the_switch_brings_the_new_code(service: Start) -> None:
    s = service().start()
    old = s.pids()
    answer = s.deploy("b")
    assert answer["result"] == "ok"
    s.wait_version("b")
    assert s.status()["release"] == str(s.root / "releases" / "b")
    until(lambda: not any(alive(pid) for pid in old), "the old workers have gone")


def test_sighup_reloads_as_well(service: Start) -> None:
    s = service().start()
    s.release("b")
    s.switch("b")
    s.signal(signal.SIGHUP)
    until(lambda: s.status()["generation"] == 2, "the second generation serves")
    s.wait_version("b")


def test_a_killed_worker_is_replaced_from_its_own_release(service: Start) -> None:
    s = service().start()
    s.release("b")
    s.switch("b")
    victim = s.pids()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in s.pids() and len(s.pids()) == 2, "two workers serve again")
    assert s.version() == "a"


def test_a_bad_heartbeat_reloads_once_and_then_the_guard_holds(service: Start) -> None:
    s = service(heartbeat={"interval": 0.2, "guard": 1}).start()
    health = s.root / "releases" / "health"
    health.write_text("500")
    until(lambda: s.status()["heartbeat"]["failures"] >= 1, "the heartbeat fails")
    until(lambda: s.status()["heartbeat"]["reloads"] == 1, "it reloads")
    health.write_text("200")
    until(lambda: s.status()["state"] == "serving" and s.status()["heartbeat"]["status"] == 200, "all is well")
    assert s.status()["heartbeat"]["failures"] == 0


def test_sigterm_finishes_the_request_in_flight(service: Start, tmp_path: Path) -> None:
    s = service().start()
    with s.hold(tmp_path / "barrier") as request:
        s.signal(signal.SIGTERM)
        s.wait_state("stopping")
        request.go()
        assert request.answer() == (200, "a")
    assert s.wait_exit() == 0


def test_a_request_in_flight_survives_a_reload(service: Start, tmp_path: Path) -> None:
    s = service().start()
    with s.hold(tmp_path / "barrier") as request:
        assert s.deploy("b")["result"] == "ok"
        request.go()
        assert request.answer() == (200, "a"), "by the code that it has met"


def test_a_second_sigterm_does_not_wait(service: Start, tmp_path: Path) -> None:
    s = service(reload={"drain_timeout": 3600}).start()
    with s.hold(tmp_path / "barrier"):
        s.signal(signal.SIGTERM)
        s.wait_state("stopping")
        s.signal(signal.SIGTERM)
        assert s.wait_exit() == 0


def test_when_the_master_is_killed_its_workers_go_and_the_port_is_free(service: Start, tmp_path: Path) -> None:
    """Within 10 s, also with a request that does not end; a busy machine may take a little longer."""
    s = service().start()
    workers = s.pids()
    with s.hold(tmp_path / "barrier"):
        s.signal(signal.SIGKILL)
        s.wait_exit()
        until(lambda: not any(alive(pid) for pid in workers), "the workers have gone", 10 + 5)
    assert s.start().version() == "a"


def test_a_port_in_use_ends_the_start_with_a_reason(service: Start) -> None:
    s = service()
    with socket.create_server(("127.0.0.1", s.port)):
        done = s.run("run")
    assert done.returncode == 1
    assert f'bind = "127.0.0.1:{s.port}": another program listens there' in done.stderr
    assert not s.status(), "nothing was started"


def test_the_second_procmon_of_an_address_is_refused_before_it_starts_anything(service: Start) -> None:
    first, second = service().start(), service()
    second.config.write_text(second.config.read_text().replace(str(second.port), str(first.port)))
    (second.root / "releases" / "a" / "site_app.py").write_text(f"open({str(second.root / 'imported')!r}, 'w')\n")
    done = second.run("run")
    assert done.returncode == 1
    assert f'bind = "127.0.0.1:{first.port}": another program listens there' in done.stderr
    assert not second.status()
    assert not (second.root / "imported").exists()
    assert first.version() == "a"


def test_two_of_one_state_directory_refuse_each_other(service: Start) -> None:
    s = service().start()
    done = s.run("run")
    assert done.returncode == 1
    assert s.process
    assert f"in use by the procmon with pid {s.process.pid}" in done.stderr
    assert s.version() == "a"


def test_it_waits_for_the_first_release_without_listening(service: Start) -> None:
    s = service()
    s.current.unlink()
    s.start("waiting")
    with pytest.raises(ConnectionRefusedError):
        s.get()
    s.switch("a")
    s.wait_state("serving")
    assert s.version() == "a"


def test_a_first_release_that_fails_can_be_fixed_by_a_deploy(service: Start) -> None:
    """The deploy user has no root to start a unit that gave up."""
    s = service()
    s.release("bad", code=BROKEN)
    s.switch("bad")
    s.start("failed")
    assert "nothing_of_this_name" in s.status()["restart"]["error"]
    s.switch("a")
    assert s.touch()["result"] == "ok"
    assert s.version() == "a"


def test_a_unix_socket_serves_too(service: Start) -> None:
    s = service()
    path = s.root / "blog.sock"
    s.config.write_text(s.config.read_text().replace(f"127.0.0.1:{s.port}", f"unix:{path}"))
    s.start()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    assert not path.exists()


def test_a_socket_of_systemd_is_used_as_it_is(service: Start) -> None:
    s = service()
    code = (
        "import os, socket, sys\n"
        f"server = socket.create_server(('127.0.0.1', {s.port}))\n"
        "os.dup2(server.fileno(), 3)\n"
        "os.set_inheritable(3, True)\n"
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'procmon', 'run', {str(s.config)!r}])\n"
    )
    s.process = subprocess.Popen([sys.executable, "-c", code], env=s.environment)
    s.wait_state("serving")
    assert s.version() == "a"


def test_systemd_is_notified_of_readiness_and_reloads(service: Start) -> None:
    s = service()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(s.root / "notify"))
        systemd.settimeout(30)
        s.environment |= {"NOTIFY_SOCKET": str(s.root / "notify"), "WATCHDOG_USEC": "1000000"}
        s.start()
        heard = hear(systemd, "READY=1")
        assert "WATCHDOG=1" in heard
        s.deploy("b")
        assert "MONOTONIC_USEC=" in hear(systemd, "RELOADING=1")
        hear(systemd, "READY=1")
        s.signal(signal.SIGTERM)
        hear(systemd, "STOPPING=1")
        assert s.wait_exit() == 0


def hear(systemd: socket.socket, word: str) -> str:
    """Read messages until one has `word`; return all."""
    heard = ""
    while word not in heard:
        heard += systemd.recv(65536).decode() + "\n"
    return heard


# -- the commands -----------------------------------------------------------------------------------------------------


def test_status_is_a_table_for_people_and_json_for_programs(service: Start) -> None:
    s = service().start()
    table = s.run("status")
    assert table.returncode == 0
    assert "blog" in table.stdout
    assert all(str(pid) in table.stdout for pid in s.pids())
    assert '"state": "serving"' in s.run("status", "--json").stdout
    s.close()
    stopped = s.run("status")
    assert (stopped.returncode, stopped.stdout.split()) == (1, ["blog", "stopped"])


def test_status_of_all_shows_the_sick_beside_the_well(
    service: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s = service().start()
    (s.root / "other.toml").write_text("name = 3")
    monkeypatch.setattr(client, "CONFIGS", s.root)
    assert cli.main(["status"]) == 1
    shown = capsys.readouterr().out
    assert "blog             serving" in shown
    assert "other            unknown" in shown
    assert "app is missing" in shown


def test_reload_waits_for_the_answer(service: Start) -> None:
    s = service().start()
    s.release("b")
    s.switch("b")
    done = s.run("reload", "--wait")
    assert (done.returncode, done.stderr) == (0, "")
    s.wait_version("b")
    s.release("c", code=BROKEN)
    s.switch("c")
    done = s.run("reload", "--wait")
    assert done.returncode == 1
    assert "nothing_of_this_name" in done.stderr
    s.wait_version("b")


def test_reload_without_a_procmon_says_how_to_start_it(service: Start) -> None:
    done = service().run("reload", "--wait")
    assert done.returncode == 1
    assert "blog is not running. Start it with: " in done.stderr


def test_check_reports_what_is_wrong_and_what_is_there(service: Start) -> None:
    s = service()
    done = s.run("check")
    assert done.returncode == 0
    assert str(s.root / "releases" / "a") in done.stdout
    s.environment["PYTHONUTF8"] = "1"
    s.release("b").rename(s.root / "releases" / "\udcff")
    s.switch("\udcff")
    done = s.run("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "releases/\\udcff, commit unknown" in done.stdout
    s.config.write_text(s.config.read_text() + "\n[reload]\ntimeout = 3\n")
    done = s.run("check")
    assert done.returncode == 1
    assert "reload.timeout is not a key of procmon." in done.stderr


# -- under load -------------------------------------------------------------------------------------------------------


def test_clients_notice_a_reload_only_by_the_new_code(service: Start) -> None:
    s = service().start()
    users = [Users(s, keep=False), Users(s, keep=True), Users(s, keep=True)]
    for user in users:
        user.start()
    for number in range(6):
        assert s.deploy(f"v{number}")["result"] == "ok"
        for user in users:
            user.wait_for(f"v{number}")
    assert s.deploy("bad", code=BROKEN)["result"] == "failed"
    for user in users:
        user.stop()
    assert [failure for user in users for failure in user.failures] == []
    assert {user.versions[-1] for user in users} == {"v5"}


def test_a_touch_is_seen_by_a_watch_and_not_only_by_looks(service: Start) -> None:
    """Everything works without the watch, but later; and no other test relies on it."""
    s = service(heartbeat={"interval": 0}).start()
    assert s.deploy("b")["result"] == "ok"
    found = s.status()
    assert watches(found["pid"]) == 1
    assert [watches(worker["pid"]) for worker in found["workers"]] == [0] * len(found["workers"])
    assert "cannot watch" not in s.log()


def watches(pid: int) -> int:
    """Count a process's instances of inotify."""
    return sum(str(fd.readlink()) == "anon_inode:inotify" for fd in Path(f"/proc/{pid}/fd").iterdir())


# -- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_each_signal_that_stops_lets_requests_finish(service: Start, tmp_path: Path, number: int) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    with s.hold(tmp_path / "barrier") as request:
        s.signal(number)
        s.wait_state("stopping")
        request.go()
        assert request.answer() == (200, "a")
    assert s.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGALRM])
def test_a_signal_without_a_meaning_is_ignored_and_logged(service: Start, number: signal.Signals) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    s.signal(number)
    until(lambda: f"ignored {number.name}: it has no meaning for procmon" in s.log(), "it is logged")
    assert s.deploy("b")["result"] == "ok"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGALRM])
def test_a_signal_without_a_meaning_is_ignored_during_an_upgrade_as_well(service: Start, number: int) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    s.signal(signal.SIGUSR2)

    def upgraded() -> bool:
        s.signal(number)
        return bool(s.status()["upgrade"]["number"])

    until(upgraded, "it has upgraded, with signals at every moment")
    assert s.status()["upgrade"]["result"] == "ok"
    assert s.deploy("b")["result"] == "ok"


def test_closed_standard_descriptors_do_not_become_sockets(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0})
    close = "import os, sys\nfor fd in (0, 1): os.close(fd)\nos.execv(sys.argv[1], sys.argv[1:])\n"
    s.wrapper = [sys.executable, "-c", close]
    s.start()
    assert s.process
    opened = [Path(f"/proc/{s.process.pid}/fd/{fd}").readlink() for fd in (0, 1)]
    assert opened == [Path("/dev/null"), Path("/dev/null")]
    assert s.deploy("b")["result"] == "ok"
