"""What goes on for long: crash loops, workers that wear out under load, reload after reload."""

from __future__ import annotations

import time

import pytest

from tests.support.procmon.footprint import footprint, holds_no_more, processor_seconds
from tests.support.procmon.load import busy
from tests.support.procmon.service import Service, Start
from tests.support.waiting import until

DIES = """
import os, threading, time
from pathlib import Path

def die():
    while not Path(__file__).parent.with_name("die").exists():
        time.sleep(0.01)
    os._exit(7)

threading.Thread(target=die, daemon=True).start()
"""
LEAKS = "HOARD = []\n"


def alter(s: Service, addition: str, before: str = "", after: str = "") -> None:
    """Put something at the top of release a's app, and change a part of it."""
    app = s.root / "releases" / "a" / "site_app.py"
    text = app.read_text().replace("\nHERE = ", f"{addition}\nHERE = ", 1)
    app.write_text(text.replace(before, after) if before else text)


def test_a_crash_loop_of_all_workers_slows_down_costs_little_and_is_reported(service: Start) -> None:
    s = service(workers=2, heartbeat={"interval": 0})
    alter(s, DIES)
    s.start()
    assert s.process
    assert s.status()["crash_loop"] == ""
    used, began = processor_seconds(s.process.pid), time.monotonic()
    (s.root / "releases" / "die").touch()
    until(lambda: s.status()["crash_loop"].startswith("3 workers were lost in a row"), "it is told")
    rests = "5 workers were lost in a row"
    until(lambda: s.status()["crash_loop"].startswith(rests) and not s.status()["workers"], "it rests, for 4 s")
    assert s.status()["state"] == "failed"
    assert (processor_seconds(s.process.pid) - used) / (time.monotonic() - began) < 0.8, "the boots included"
    assert "exit status 7" in s.status()["crash_loop"]
    assert "5 workers were lost in a row" in s.run("status").stdout
    assert s.process.poll() is None
    (s.root / "releases" / "die").unlink()
    assert s.touch()["result"] == "ok", "a deploy does not wait for the backoff"
    assert (s.status()["state"], s.status()["crash_loop"]) == ("serving", "")


@pytest.mark.parametrize("limit", [{"max_requests": 100}, {"max_age": 1}, {"max_rss": "120M"}], ids=min)
def test_workers_at_their_limits_are_replaced_one_at_a_time_under_load(
    service: Start, limit: dict[str, object]
) -> None:
    s = service(workers=2, worker=limit, heartbeat={"interval": 0})
    alter(s, LEAKS, "    await act(", '    HOARD.append(b"x" * (1 << 20))\n    await act(')
    s.start()
    first = set(s.pids())
    seen: set[int] = set()

    def replaced() -> bool:
        workers = s.status()["workers"]
        staying = [worker for worker in workers if worker["state"] not in ("draining", "dying")]
        assert 2 <= len(staying) <= 3, "the replacement comes first, and only one at a time"
        seen.update(worker["pid"] for worker in staying)
        return len(seen - first) >= 4

    with busy(s) as users:
        until(replaced, "both have been replaced, twice")
        assert all(user.versions for user in users)
    assert s.status()["generation"] == 1
    assert next(iter(limit)) in s.log()
    assert "ERROR" not in s.log()


def test_a_reload_while_workers_reach_their_limits_keeps_their_number(service: Start) -> None:
    s = service(workers=2, worker={"max_requests": 50}, heartbeat={"interval": 0}).start()
    with busy(s) as users:
        for number in range(4):
            assert s.deploy(f"v{number}")["result"] == "ok"
            for user in users:
                user.wait_for(f"v{number}")
    until(lambda: [worker["state"] for worker in s.status()["workers"]] == ["active"] * 2, "two, and nobody else")


def test_many_reloads_leave_nothing_behind(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0.1}).start()
    assert s.process
    pid = s.process.pid
    reload_often(s, 3)
    until(lambda: footprint(pid).children == 1, "the old workers are reaped")
    before = footprint(pid)
    reload_often(s, 12)
    # One heartbeat may be under way.
    allowed = before._replace(descriptors=before.descriptors + 1)
    until(lambda: holds_no_more(pid, allowed), "it holds no more than before")
    assert footprint(pid).rss_bytes < before.rss_bytes + (4 << 20)


def reload_often(s: Service, times: int) -> None:
    """Reload again and again, and wait until the last old worker has gone."""
    for _ in range(times):
        assert s.touch()["result"] == "ok"
    until(lambda: len(s.status()["workers"]) == 1, "the old workers have gone")
