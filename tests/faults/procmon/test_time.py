"""Time that stands still or jumps does not count against any worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.procmon.service import Service, Start
from tests.support.waiting import until

JUMPING = """
import runpy, sys, time
from pathlib import Path

offset, now, now_ns = Path(sys.argv.pop(1)), time.time, time.time_ns
time.time = lambda: now() + int(offset.read_text())
time.time_ns = lambda: now_ns() + int(offset.read_text()) * 10**9
runpy.run_module("procmon", run_name="__main__")
"""
"""A master whose wall clock is set by a file. That of the machine is not a test's to set, and no namespace has one."""


def state(s: Service) -> str:
    """Return the state of a process: T is stopped."""
    assert s.process
    return Path(f"/proc/{s.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def stand_still(s: Service, seconds: float) -> None:
    """Stop procmon for some time."""
    s.signal(signal.SIGSTOP)
    until(lambda: state(s) == "T", "it is stopped")
    time.sleep(seconds)  # this is the time that stands still
    s.signal(signal.SIGCONT)


def test_a_stalled_master_does_not_kill_healthy_workers(service: Start) -> None:
    """Neither for ticks that it did not hear, nor for a heartbeat, nor for a boot."""
    limits: dict[str, object] = {"worker": {"hang_timeout": 2}, "reload": {"boot_timeout": 5}}
    heart = {"interval": 0.2, "timeout": 2, "guard": 0}
    services = [service(heartbeat=heart, **limits), service(heartbeat={"interval": 0}, **limits)]

    def survive(s: Service) -> None:
        s.start()
        before = s.pids()
        for seconds in (2.1, 6):
            stand_still(s, seconds)
            requests = [worker["requests"] for worker in s.status()["workers"]]
            s.get()
            until(lambda r=requests: [w["requests"] for w in s.status()["workers"]] != r, "it hears them")  # type: ignore[misc]
        assert s.pids() == before, s.log()
        assert s.status()["generation"] == 1
        assert s.status()["heartbeat"]["failures"] == 0
        b = s.begin("b")
        stand_still(s, 6)
        (b / "go").touch()
        assert s.answer()["result"] == "ok", s.log()
        s.wait_version("b")

    with ThreadPoolExecutor() as pool:
        list(pool.map(survive, services))


@pytest.mark.parametrize("hours", [1, -1, 24 * 365])
def test_a_wall_clock_that_jumps_changes_nothing(service: Start, hours: int) -> None:
    s = service(worker={"hang_timeout": 2, "max_age": 3600}, heartbeat={"interval": 0.2, "timeout": 2, "guard": 0})
    offset = s.root / "offset"
    offset.write_text("0")
    s.command = [sys.executable, "-c", JUMPING, str(offset)]
    s.start()
    before = s.pids()
    offset.write_text(str(hours * 3600))
    asked = s.status()["workers"][0]["requests"] + s.status()["workers"][1]["requests"]
    until(lambda: sum(w["requests"] for w in s.status()["workers"]) > asked + 15, "heartbeats go on, for 3 s")
    assert s.pids() == before
    assert (s.status()["generation"], s.status()["heartbeat"]["failures"]) == (1, 0)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: before[0] not in s.pids() and len(s.pids()) == 2, "it is replaced at once, not in hours")
    youngest = next(worker for worker in s.status()["workers"] if worker["pid"] not in before)
    assert abs(youngest["started"] - time.time() - hours * 3600) < 60, "the clock has not jumped"
    assert s.deploy("b")["result"] == "ok"


def test_reload_waits_for_its_own_answer_though_the_clock_was_set_back(service: Start) -> None:
    s = service(heartbeat={"interval": 0}).start()
    future = time.time_ns() + 3600 * 10**9
    os.utime(s.restart_file, ns=(future, future))
    assert s.answer()["result"] == "ok"
    s.release("b", code="import nothing_of_this_name\n")
    s.switch("b")
    done = s.run("reload", "--wait")
    assert done.returncode == 1, "the answer to the touch of the future is not ours"
    assert "nothing_of_this_name" in done.stderr
