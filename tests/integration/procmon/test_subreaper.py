"""Processes that have left their worker's group and outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator

import pytest
from procmon.master import subreaper as module
from procmon.master.processes import HELPER_SECONDS
from procmon.master.subreaper import (
    PR_SET_CHILD_SUBREAPER,
    WORKER_ID_VARIABLE,
    Orphans,
    become_subreaper,
    children,
    owner_of,
)

from tests.support.waiting import until

WORKER = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True, stdout=subprocess.DEVNULL).pid)
"""
ENDLESS = "import time; time.sleep(600)"
LATE = "import time; time.sleep(0.3)"


class World:
    """This process as a subreaper; `others` are its children of before, which are no orphans."""

    def __init__(self) -> None:
        self.others = set(children())
        self.orphans = Orphans()
        self.started: list[int] = []

    def leave_behind(self, code: str, worker: int | None = 7) -> int:
        """Make a worker start a program and exit; return the program's pid."""
        env = {WORKER_ID_VARIABLE: str(worker)} if worker is not None else {}
        argv = [sys.executable, "-c", WORKER, code]
        pid = int(subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=True).stdout)
        self.started.append(pid)
        assert pid in children()
        return pid

    def reap(self, workers: Collection[int] = (), pids: Collection[int] = ()) -> tuple[bool, float | None]:
        """Reap orphans once."""
        return self.orphans.reap(workers, self.others | set(pids))


@pytest.fixture
def world() -> Iterator[World]:
    """A world of processes; what is left of it is killed."""
    become_subreaper()
    world = World()
    yield world
    for pid in set(world.started) & set(children()):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def gone(pid: int) -> Callable[[], bool]:
    return lambda: pid not in children()


def test_an_orphan_that_ends_in_time_is_reaped_and_not_killed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pid = world.leave_behind(LATE)
    found, again_in = world.reap()
    assert found
    assert again_in == pytest.approx(HELPER_SECONDS, abs=0.2)
    until(lambda: world.reap() and gone(pid)(), "it is reaped")
    assert world.reap() == (False, None)
    assert caplog.records == []


def test_an_orphan_that_does_not_end_is_killed_and_named_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.3)
    pid = world.leave_behind(ENDLESS)
    began = time.monotonic()
    _found, again_in = world.reap()
    assert again_in is not None
    assert again_in == pytest.approx(0.3)
    until(lambda: [world.reap() for _ in range(3)] and gone(pid)(), "it is reaped")
    assert time.monotonic() - began >= 0.3
    assert [record.getMessage() for record in caplog.records] == [
        f"killing pid {pid} ({sys.executable} -c {ENDLESS}), left behind by worker 7"
    ]


def test_its_time_counts_from_when_it_was_first_seen(world: World) -> None:
    first = world.leave_behind(ENDLESS)
    world.reap()
    until(lambda: (world.reap()[1] or 0) < HELPER_SECONDS - 0.3, "time passes")
    world.leave_behind(ENDLESS)
    assert (world.reap()[1] or 0) < HELPER_SECONDS - 0.3, "the first one's time is over first"
    os.kill(first, signal.SIGKILL)
    until(lambda: world.reap() and gone(first)(), "it is reaped")
    assert (world.reap()[1] or 0) > HELPER_SECONDS - 1


@pytest.mark.parametrize("worker", [7, None], ids=["of a running worker", "of nothing known"])
def test_other_orphans_are_left_alone_and_reaped_at_their_end(
    world: World, monkeypatch: pytest.MonkeyPatch, worker: int | None
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.0)
    pid = world.leave_behind(ENDLESS, worker)
    assert [world.reap(workers=[7]) for _ in range(3)] == [(False, None)] * 3
    os.kill(pid, signal.SIGKILL)
    until(lambda: world.reap(workers=[7])[0], "it is reaped")
    assert pid not in children()


def test_an_orphan_of_a_running_worker_has_its_time_from_that_workers_end(world: World) -> None:
    world.leave_behind(ENDLESS)
    assert world.reap(workers=[7]) == (False, None)
    assert world.reap(workers=[8])[1] == pytest.approx(HELPER_SECONDS, abs=0.1)


def test_children_that_are_no_orphans_are_not_reaped(world: World) -> None:
    pid = world.leave_behind("")
    until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), "it has exited")
    assert world.reap(pids=[pid]) == (False, None)
    assert pid in children()
    assert world.reap() == (True, None)
    assert pid not in children()


def test_the_worker_that_started_a_process(world: World) -> None:
    assert owner_of(world.leave_behind(ENDLESS, 12)) == 12
    assert owner_of(world.leave_behind(ENDLESS, None)) is None
    assert owner_of(1 << 22) is None
