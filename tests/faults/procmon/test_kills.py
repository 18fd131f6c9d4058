"""Workers killed at each moment of a reload: in the end all slots serve, and no worker drained too early."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.procmon.in_flight import InFlightRequest
from tests.support.procmon.load import busy, load
from tests.support.procmon.service import SECOND_WAITS, Service, Start, alive
from tests.support.waiting import until

LATER_WAIT = """
import itertools, time
from pathlib import Path
HERE = Path(__file__).parent
(HERE / "begun").touch()
for number in itertools.count(1):
    try:
        (HERE / f"import{number}").touch(exist_ok=False)
        break
    except FileExistsError:
        pass
while number > 1 and not (HERE / f"go{number}").exists():
    time.sleep(0.01)
"""
"""The second import of this release waits for the file `go2`, the third for `go3`."""


@pytest.fixture
def s(service: Start) -> Service:
    """A service of two workers that serves release "a"."""
    return service(heartbeat={"interval": 0}).start()


def one_in(s: Service, state: str) -> int:
    """Wait until there is a worker in a state; return its pid."""
    return until(lambda: s.pids(state), f"a worker is {state}")[0]


def assert_settled(s: Service, version: str) -> None:
    """Wait for the end of all drains: two workers of this version, and nothing else."""
    s.wait_version(version)
    until(lambda: len(s.status()["workers"]) == 2, "all others have gone")
    assert len(s.pids()) == 2
    assert {Path(f"/proc/{pid}/cwd").resolve().name for pid in s.pids()} == {version}


def test_the_first_new_worker_killed_while_it_boots_fails_the_reload(s: Service) -> None:
    old = s.pids()
    s.begin("b")
    os.kill(one_in(s, "starting"), signal.SIGKILL)
    answer = s.answer()
    assert (answer["result"], s.pids()) == ("failed", old)
    assert "SIGKILL" in answer["error"]
    assert_settled(s, "a")


def test_a_new_worker_killed_when_it_is_ready_is_replaced_and_no_old_one_drained_before(s: Service) -> None:
    old = s.pids()
    with busy(s):
        b = s.begin("b", SECOND_WAITS)
        victim = one_in(s, "ready")
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in [worker["pid"] for worker in s.status()["workers"]], "it is gone")
        assert s.pids() == old
        (b / "go").touch()
        assert s.answer()["result"] == "ok"
        assert_settled(s, "b")
    assert not any(alive(pid) for pid in old)


def test_a_new_worker_killed_before_it_confirms_is_replaced_and_no_old_one_drained_before(s: Service) -> None:
    """It is stopped, so that it cannot confirm, and killed when it has been ordered to accept."""
    old = s.pids()
    with busy(s):
        b = s.begin("b", LATER_WAIT)
        victim = one_in(s, "ready")
        os.kill(victim, signal.SIGSTOP)
        (b / "go2").touch()
        until(lambda: s.pids("accepting") == [victim], "only the stopped one has not confirmed")
        assert set(old) <= set(s.pids())
        os.kill(victim, signal.SIGKILL)
        until((b / "import3").exists, "another one boots in its place")
        until(lambda: s.pids("starting"), "procmon says so")
        assert set(old) < set(s.pids()), "they serve, and so does the other new one"
        assert s.pids("draining") == []
        (b / "go3").touch()
        assert s.answer()["result"] == "ok"
        assert_settled(s, "b")
    assert not any(alive(pid) for pid in old)


def test_a_new_worker_that_never_confirms_is_replaced(s: Service) -> None:
    b = s.begin("b", SECOND_WAITS)
    victim = one_in(s, "ready")
    os.kill(victim, signal.SIGSTOP)
    (b / "go").touch()
    assert s.answer()["result"] == "ok"
    assert "did not confirm that it accepts" in s.log()
    assert_settled(s, "b")
    assert not alive(victim)


def test_an_old_worker_killed_during_a_reload_is_not_counted_twice(s: Service) -> None:
    b = s.begin("b", SECOND_WAITS)
    one_in(s, "ready")
    victim = s.pids()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in s.pids() and len(s.pids()) == 2, "it is replaced from its own release")
    assert s.version() == "a"
    (b / "go").touch()
    assert s.answer()["result"] == "ok"
    assert_settled(s, "b")


def test_all_old_workers_killed_during_a_reload_come_back_if_it_fails(s: Service) -> None:
    b = s.begin("b")
    one_in(s, "starting")
    victims = s.pids()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not set(victims) & set(s.pids()), "they are gone")
    (b / "VERSION").unlink()
    (b / "go").touch()
    assert s.answer()["result"] == "failed"
    until(lambda: len(s.pids()) == 2, "two serve again")
    assert_settled(s, "a")


@contextlib.contextmanager
def held_in_each(s: Service) -> Iterator[dict[int, list[InFlightRequest]]]:
    """Send requests until each of two workers holds one; return them by the worker's pid."""
    held: dict[int, list[InFlightRequest]] = {}
    with contextlib.ExitStack() as ends:
        while len(held) < 2:
            request = ends.enter_context(s.hold(s.root / f"barrier{sum(map(len, held.values()))}"))
            held.setdefault(request.pid, []).append(request)
        yield held


@pytest.mark.parametrize("reloading", [False, True])
def test_a_killed_worker_loses_what_it_was_answering_and_nothing_else(s: Service, reloading: bool) -> None:
    victim, other = s.pids()
    with held_in_each(s) as held:
        with load(s) as users:
            if reloading:
                b = s.begin("b", SECOND_WAITS)
                one_in(s, "ready")
            for user in users:
                user.wait_for_more()
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in s.pids() and len(s.pids()) == 2, "it is replaced")
            if reloading:
                (b / "go").touch()
                assert s.answer()["result"] == "ok"
            for user in users:
                user.wait_for_more()
            for request in held[other]:
                request.go()
                assert request.answer() == (200, "a")
        for request in held[victim]:
            with pytest.raises(ConnectionError):
                request.answer()
    assert all(len(user.failures) <= 1 for user in users), "each has one request under way at a time"
    assert not [answer for user in users for answer in user.versions if answer.isdigit()]
