"""What outlives its owner: daemons of workers, workers of a master, releases that are deleted under their workers."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.procmon.service import APP, Service, Start, alive
from tests.support.waiting import until


@pytest.fixture
def s(service: Start) -> Service:
    """A service of two workers, each of which starts processes in every manner."""
    s = service(heartbeat={"interval": 0})
    release = s.root / "releases" / "a"
    shutil.copy(APP.with_name("daemons.py"), release)
    app = release / "site_app.py"
    app.write_text(app.read_text().replace("import asyncio\n", "import asyncio\nimport daemons\n", 1))
    return s.start()


def daemons(s: Service, worker: int) -> list[int]:
    """List what a worker has started."""
    return [int(pid) for pid in (s.root / "releases" / f"daemons-{worker}").read_text().split()]


def test_what_a_worker_has_started_ends_with_it_and_with_no_other_worker(s: Service) -> None:
    victim, other = s.pids()
    assert all(alive(pid) for pid in daemons(s, victim))
    os.kill(victim, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in daemons(s, victim)), "all that it had started is gone")
    until(lambda: len(s.pids()) == 2, "it is replaced")
    assert all(alive(pid) for pid in daemons(s, other))
    assert s.deploy("b")["result"] == "ok"
    until(lambda: not any(alive(pid) for pid in daemons(s, other)), "those of the drained one are gone")
    assert s.process
    children = Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children")
    until(lambda: len(children.read_text().split()) == 2, "all adopted ones are reaped")


def test_a_stop_leaves_nothing_behind(s: Service) -> None:
    started = [pid for worker in s.pids() for pid in daemons(s, worker)]
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    until(lambda: not any(alive(pid) for pid in started), "all that they had started is gone")


def test_a_daemon_that_ends_while_its_worker_lives_is_reaped(s: Service) -> None:
    """Otherwise a daemon that procmon inherits stays a zombie for as long as procmon runs."""
    adopted = daemons(s, s.pids()[0])[2]
    os.kill(adopted, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{adopted}").exists(), "it is reaped")
    assert len(s.pids()) == 2


def test_what_a_worker_leaves_behind_is_ended_also_when_procmon_upgrades_meanwhile(service: Start) -> None:
    """Without the worker's environment a helper is known by its process group alone."""
    s = service(workers=1, heartbeat={"interval": 0})
    app = s.root / "releases" / "a" / "site_app.py"
    helper = 'import subprocess\nPID = subprocess.Popen(["/bin/sleep", "3600"], env={}).pid\n'
    code = app.read_text().replace("import asyncio\n", f"{helper}import asyncio\n", 1)
    app.write_text(code.replace("{VERSION}", "{PID}"))
    s.start()
    pid = int(s.get()[0])
    os.kill(s.pids()[0], signal.SIGKILL)
    until(lambda: "exited (SIGKILL)" in s.log(), "its exit is noticed")
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["number"], "it has upgraded")
    until(lambda: not alive(pid), "the helper has ended")


def test_when_the_master_is_killed_the_port_is_free_again_though_a_worker_has_forked(s: Service) -> None:
    """A forked child has the listening socket, too."""
    workers = s.pids()
    groups = [daemons(s, worker)[0] for worker in workers]
    s.signal(signal.SIGKILL)
    s.wait_exit()
    until(lambda: not any(alive(pid) for pid in workers + groups), "the workers and their groups have gone")
    for worker in workers:
        for pid in daemons(s, worker)[1:]:
            os.kill(pid, signal.SIGKILL)
    assert s.start().version() == "a"


# -- releases ---------------------------------------------------------------------------------------------------------


def without_directory(s: Service) -> Service:
    """Write an app that does not use its current directory: it has no name any more when the release is deleted."""
    app = s.root / "releases" / "a" / "site_app.py"
    app.write_text(app.read_text().replace("Path.cwd()", "''"))
    return s


def test_a_release_deleted_under_its_workers_serves_until_one_is_lost_and_then_the_current_one_does(
    service: Start,
) -> None:
    s = without_directory(service(heartbeat={"interval": 0})).start()
    s.release("b")
    s.switch("b")
    shutil.rmtree(s.root / "releases" / "a")
    assert s.version() == "a"
    os.kill(s.pids()[0], signal.SIGKILL)
    until(lambda: s.status()["release"] == str(s.root / "releases" / "b"), "the current one serves")
    s.wait_version("b")
    until(lambda: len(s.pids()) == 2 and len(s.status()["workers"]) == 2, "with all workers")
    assert "the release that serves was deleted" in s.log()


def test_with_its_release_and_the_current_one_deleted_the_remaining_worker_serves_until_there_is_another(
    service: Start,
) -> None:
    s = without_directory(service(heartbeat={"interval": 0})).start()
    victim, other = s.pids()
    shutil.rmtree(s.root / "releases" / "a")
    s.current.unlink()
    answer = s.touch()
    assert (answer["result"], s.pids()) == ("failed", [victim, other])
    assert "does not exist" in answer["error"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: s.pids() == [other], "one is left")
    until(lambda: "3 workers were lost in a row" in s.status()["crash_loop"], "nobody can come in its place")
    assert (s.version(), s.pids(), s.status()["state"]) == ("a", [other], "serving")
    assert s.deploy("b")["result"] == "ok"
    s.wait_version("b")
    until(lambda: len(s.pids()) == 2 and len(s.status()["workers"]) == 2, "with all workers")


def test_a_release_deleted_while_its_workers_drain_is_served_to_the_end(service: Start, tmp_path: Path) -> None:
    s = without_directory(service(heartbeat={"interval": 0})).start()
    with s.hold(tmp_path / "barrier") as request:
        assert s.deploy("b")["result"] == "ok"
        shutil.rmtree(s.root / "releases" / "a")
        request.go()
        assert request.answer() == (200, "a")
