"""procmon 0.1.0 replaced by today's in its own process: the workers that 0.1.0 has started serve on, and are led."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from procmon import __version__
from procmon.client import PENDING
from websockets.sync.client import connect as connect_websocket

from tests.support.procmon.builds import Builds
from tests.support.procmon.footprint import Footprint, footprint, holds_no_more
from tests.support.procmon.load import load, lost
from tests.support.procmon.service import APP, Service, Start, alive
from tests.support.waiting import until

BEHAVIOURS = APP.with_name("behaviours.py")
TICK = b"data: tick\n\n"
Old = Callable[..., tuple[Service, Builds]]


class UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@pytest.fixture
def old(service: Start) -> Old:
    """A function that prepares a service whose procmon is 0.1.0."""

    def prepare(**settings: object) -> tuple[Service, Builds]:
        s = service(**settings)
        return s, Builds(s, begin_with_0_1=True)

    return prepare


def upgrade(s: Service, builds: Builds) -> dict[str, Any]:
    """Install today's procmon, have it take over, and return the status that follows."""
    builds.install()
    found = builds.upgrade()
    assert (found["version"], found["build"]) == (__version__, f"build-{builds.count}")
    assert s.process is not None
    assert s.process.poll() is None
    return found


def started_by(pid: int, home: Path) -> bool:
    """Return whether a worker runs the code of the build in `home`."""
    return str(home) in Path(f"/proc/{pid}/cmdline").read_text()


def commands(s: Service) -> set[int]:
    """Return the children of procmon."""
    assert s.process is not None
    return {int(pid) for pid in Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children").read_text().split()}


def edit(s: Service, before: str, after: str) -> None:
    """Change the configuration."""
    text = s.config.read_text()
    assert before in text
    s.config.write_text(text.replace(before, after))


# -- what users notice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preload", [None, False, True])
def test_nothing_is_lost_and_the_workers_stay(old: Old, tmp_path: Path, preload: bool | None) -> None:
    s, builds = old(heartbeat={"interval": 0.3}, worker={} if preload is None else {"preload": preload})
    first = builds.link.resolve().parent
    s.start()
    before = s.status()
    assert before["version"] == "0.1.0"
    with s.hold(tmp_path / "barrier") as request, load(s, 2, 2) as users:
        for user in users:
            user.wait_for_more()
        after = upgrade(s, builds)
        for user in users:
            user.wait_for_more()
        request.go()
        assert request.answer() == (200, "a")
        assert ("worker.preload was removed and is ignored" in s.log()) is (preload is not None)
        until(lambda: commands(s) == set(s.pids()), "its children are the workers alone")
        assert s.deploy("b")["result"] == "ok"
        for user in users:
            user.wait_for("b")
    assert lost(users) == []
    same = ("name", "pid", "generation", "release", "commit", "restart", "state")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert [(one["pid"], one["started"]) for one in after["workers"]] == [
        (one["pid"], one["started"]) for one in before["workers"]
    ]
    workers = [one["pid"] for one in before["workers"]]
    until(lambda: not any(alive(pid) for pid in workers), "the old workers have ended")
    assert not any(started_by(pid, first) for pid in s.pids())
    assert s.status()["pid"] == before["pid"]
    until(lambda: commands(s) == set(s.pids()), "nothing is left behind")


def test_requests_on_a_unix_socket_are_served_throughout(old: Old, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    s, builds = old(bind=f"unix:{path}", heartbeat={"interval": 0.3})
    s.connection = lambda: UnixConnection(path)  # type: ignore[method-assign]
    s.start()
    with load(s, 1, 1) as users:
        upgrade(s, builds)
        for user in users:
            user.wait_for_more()
        assert s.deploy("b")["result"] == "ok"
        for user in users:
            user.wait_for("b")
    assert lost(users) == []
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    assert not path.exists()


def test_websockets_and_streams_outlive_the_upgrade_and_are_drained_by_the_next_reload(old: Old) -> None:
    s, builds = old(workers=1, reload={"drain_timeout": 3, "idle_grace": 1}, heartbeat={"interval": 0})
    s.release("v0", code=BEHAVIOURS.read_text())
    s.switch("v0")
    s.start()
    worker = s.pids()[0]
    with connect_websocket(f"ws://127.0.0.1:{s.port}/") as websocket, contextlib.closing(s.open("/events")) as stream:
        events = stream.getresponse()
        assert events.read(len(TICK)) == TICK
        upgrade(s, builds)
        websocket.send("still there")
        assert websocket.recv() == "still there"
        assert events.read(len(TICK)) == TICK
        assert s.touch()["result"] == "ok"
        until(lambda: s.pids("draining") == [worker], "the old worker drains")
        assert events.read().endswith(TICK), "the stream was completed"
    until(lambda: not alive(worker), "it has ended")
    until(lambda: len(s.status()["workers"]) == 1, "and is forgotten")
    assert "does not exit" not in s.log()


# -- the old workers are led ------------------------------------------------------------------------------------------


def test_the_status_has_todays_keys_and_the_old_workers_tick(old: Old) -> None:
    s, builds = old(workers=1)
    s.start()
    before = s.status()
    after = upgrade(s, builds)
    assert {"trouble", "settings", "active_settings"} & set(after) == set()
    assert after["crash_loop"] == ""
    assert after["config_digest"] == after["active_config_digest"] == before["settings"]
    assert after["reload_limit"] == 180
    assert after["upgrade"] == {"number": 1, "result": "ok", "error": ""}
    count = after["workers"][0]["requests"]
    for _ in range(3):
        s.version()
    until(lambda: s.status()["workers"][0]["requests"] >= count + 3, "it reports its requests")
    until(lambda: s.status()["workers"][0]["rss_bytes"] > 0, "and its memory is known")
    assert s.run("upgrade", "--wait").stdout.startswith("blog: already runs procmon")


def test_an_old_worker_that_hangs_is_replaced(old: Old) -> None:
    s, builds = old(worker={"hang_timeout": 2}, heartbeat={"interval": 0})
    s.start()
    workers = s.pids()
    home = builds.link.resolve().parent
    upgrade(s, builds)
    with contextlib.closing(s.open("/block")):
        until(lambda: any(not alive(pid) for pid in workers), "the one that hangs is killed")
    until(lambda: len(s.pids()) == 2, "another one serves in its place")
    assert "its event loop has not turned for" in s.log()
    assert [started_by(pid, home) for pid in s.pids()].count(True) == 1


def test_an_old_worker_that_dies_is_replaced(old: Old) -> None:
    s, builds = old(heartbeat={"interval": 0})
    s.start()
    workers = s.pids()
    upgrade(s, builds)
    with contextlib.closing(s.open("/exit")):
        until(lambda: len(s.pids()) == 2 and s.pids() != workers, "another one serves in its place")
    assert "exited (exit status 7)" in s.log()


def test_a_draining_worker_survives_the_upgrade(old: Old, tmp_path: Path) -> None:
    s, builds = old(workers=1)
    s.start()
    with s.hold(tmp_path / "barrier") as request:
        worker = s.pids()[0]
        assert s.deploy("b")["result"] == "ok"
        until(lambda: s.pids("draining") == [worker], "the old worker drains")
        upgrade(s, builds)
        assert s.pids("draining") == [worker]
        request.go()
        assert request.answer() == (200, "a")
    until(lambda: not Path(f"/proc/{worker}").exists(), "it has ended and is reaped")
    until(lambda: len(s.status()["workers"]) == 1, "and forgotten")


def test_a_stop_after_the_upgrade_lets_the_old_workers_finish(old: Old, tmp_path: Path) -> None:
    s, builds = old()
    s.start()
    workers = s.pids()
    upgrade(s, builds)
    with s.hold(tmp_path / "barrier") as request:
        s.signal(signal.SIGTERM)
        until(lambda: s.status()["state"] == "stopping", "it stops")
        request.go()
        assert request.answer() == (200, "a")
    assert s.wait_exit() == 0
    assert not any(alive(pid) for pid in workers)


def test_signals_during_the_exec_count(old: Old) -> None:
    s, builds = old(heartbeat={"interval": 0})
    s.start()
    go = builds.upgrade_until_it_waits()
    s.signal(signal.SIGHUP)
    go.touch()
    until(lambda: s.status()["generation"] > 1 and s.status()["state"] == "serving", "it has reloaded")
    assert s.status()["upgrade"]["result"] == "ok"


# -- with another configuration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_a_configuration_that_has_changed_is_rolled_out(old: Old, workers: int) -> None:
    s, builds = old(env={"COLOUR": "red"})
    s.start()
    edit(s, "red", "blue")
    edit(s, "workers = 2", f"workers = {workers}")
    with load(s, 1, 1) as users:
        upgrade(s, builds)
        until(lambda: len(s.status()["workers"]) == workers, "so many workers serve")
    assert lost(users) == []
    assert s.get()[2] == "blue"
    status = s.status()
    assert status["config_digest"] == status["active_config_digest"]


def test_old_workers_are_kept_by_their_own_rules_when_the_new_configuration_cannot_serve(old: Old) -> None:
    """They report every 5 s, as their configuration had it: by the new one they would seem to hang."""
    s, builds = old(worker={"hang_timeout": 30}, heartbeat={"interval": 0})
    s.start()
    workers = s.pids()
    edit(s, "hang_timeout = 30", "hang_timeout = 2")
    edit(s, "site_app:app", "site_app:nothing")
    builds.install()
    done = s.run("upgrade", "--wait")
    assert done.returncode == PENDING
    assert "site_app:nothing does not start from the live release, which still serves site_app:app" in done.stderr
    started = s.status()["restart"]
    time.sleep(8)
    assert s.pids() == workers, s.log()
    assert s.version() == "a"
    assert s.status()["restart"] == started


def test_an_option_that_is_refused_now_refuses_the_upgrade_until_it_is_gone(old: Old) -> None:
    s, builds = old(uvicorn={"timeout_graceful_shutdown": 5}, heartbeat={"interval": 0.3})
    s.start()
    before = s.status()
    builds.install()
    with load(s, 1, 1) as users:
        s.signal(signal.SIGUSR2)
        until(lambda: s.status()["upgrade"]["number"] == 1, "it is answered")
        assert "uvicorn.timeout_graceful_shutdown is not allowed" in s.status()["upgrade"]["error"]
        done = s.run("upgrade", "--wait")
        assert done.returncode == 1
        assert "uvicorn.timeout_graceful_shutdown is not allowed: use reload.drain_timeout" in done.stderr
        assert "Traceback" not in done.stderr
        assert s.status()["version"] == before["version"]
        assert s.deploy("b")["result"] == "ok", "0.1.0 serves on"
        edit(s, "timeout_graceful_shutdown = 5", "")
        builds.upgrade()
        until(lambda: s.status()["active_config_digest"] == s.status()["config_digest"], "it is rolled out")
        for user in users:
            user.wait_for_more()
    assert lost(users) == []
    assert (s.status()["version"], s.status()["pid"]) == (__version__, before["pid"])


def test_another_address_is_refused(old: Old) -> None:
    s, builds = old()
    s.start()
    edit(s, f"127.0.0.1:{s.port}", "127.0.0.2:1")
    builds.install()
    done = s.run("upgrade", "--wait")
    assert done.returncode == 1
    assert 'to "127.0.0.2:1" requires a restart' in done.stderr
    assert s.status()["version"] == "0.1.0"
    assert s.version() == "a"


# -- where nothing serves ---------------------------------------------------------------------------------------------


def test_a_release_that_could_not_start_is_tried_again(old: Old) -> None:
    s, builds = old(app="site_app:nothing")
    s.start("failed")
    app = s.current / "site_app.py"
    app.write_text(app.read_text() + "\nnothing = app\n")
    upgrade(s, builds)
    s.wait_state("serving")
    assert s.version() == "a"


def test_without_a_release_it_goes_on_waiting_for_one(old: Old) -> None:
    s, builds = old()
    s.current.unlink()
    s.start("waiting")
    assert upgrade(s, builds)["state"] == "waiting"
    s.switch("a")
    s.wait_state("serving")
    assert s.version() == "a"


# -- and back ---------------------------------------------------------------------------------------------------------


def test_0_1_is_refused_as_a_successor_and_nothing_changes(old: Old) -> None:
    s, builds = old(heartbeat={"interval": 0.3})
    s.start()
    upgrade(s, builds)
    before = s.status()
    with load(s, 1, 1) as users:
        builds.install_0_1()
        done = s.run("upgrade", "--wait")
        assert done.returncode == 1
        assert "upgrade failed" in done.stderr
        assert "check-handover" in s.status()["upgrade"]["error"]
        assert "Traceback" not in done.stderr
        assert (s.status()["build"], s.pids()) == (before["build"], [one["pid"] for one in before["workers"]])
        for user in users:
            user.wait_for_more()
        builds.install()
        assert builds.upgrade()["upgrade"]["result"] == "ok"
    assert lost(users) == []


def test_what_was_taken_over_is_closed_as_the_old_workers_go(old: Old) -> None:
    """So that the next upgrade hands over no more descriptors, threads and children than the first."""
    s, builds = old(heartbeat={"interval": 0})
    s.start()
    pid, found = s.status()["pid"], list[Footprint]()
    for _ in range(3):
        upgrade(s, builds)
        assert s.touch()["result"] == "ok"
        until(lambda: commands(s) == {one["pid"] for one in s.status()["workers"]} == set(s.pids()), "they have gone")
        found.append(footprint(pid))
        until(lambda: holds_no_more(pid, found[0]), "it holds no more than before")
