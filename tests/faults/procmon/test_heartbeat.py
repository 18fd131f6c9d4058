"""The heartbeat against apps that answer badly, slowly, endlessly or not at all; and what it cannot see."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.procmon.service import Service, Start, alive
from tests.support.waiting import until

SICK = """
from __future__ import annotations

import asyncio
import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


async def app(scope, receive, send):
    assert scope["type"] == "http"
    illness = (ROOT / "illness").read_text() if (ROOT / "illness").exists() and scope["path"] == "/" else ""
    with (ROOT / "asked").open("a") as asked:
        print(illness, file=asked)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while illness == "drips":
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(0.1)
    while illness == "hangs":
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.mark.parametrize("illness", ["drips", "hangs"])
def test_an_answer_that_does_not_end_in_time_reloads(service: Start, illness: str) -> None:
    """A byte now and then would satisfy a timeout for each read."""
    s = service(workers=1, heartbeat={"interval": 0.5, "timeout": 1.5, "guard": 0})
    (s.root / "releases" / "a" / "site_app.py").write_text(SICK)
    s.start()
    (s.root / "releases" / "illness").write_text(illness)
    until(lambda: "heartbeat: GET / (heartbeat.path): no answer within 1.5 s; reloading" in s.log(), "it is noticed")
    (s.root / "releases" / "illness").unlink()
    until(lambda: s.status()["generation"] > 1 and s.status()["heartbeat"]["failures"] == 0, "all is well again")


def test_heartbeats_never_overlap(service: Start) -> None:
    """The guard keeps it from reloading: the hanging questions are all of one worker."""
    s = service(workers=1, heartbeat={"interval": 0.2, "timeout": 2, "guard": 3600})
    (s.root / "releases" / "a" / "site_app.py").write_text(SICK)
    s.start()
    (s.root / "releases" / "illness").write_text("hangs")
    until(lambda: s.status()["heartbeat"]["failures"] >= 2, "two have hung")
    assert (s.root / "releases" / "asked").read_text().count("hangs") <= s.status()["heartbeat"]["failures"] + 1


def test_after_a_reload_the_guard_holds_while_the_app_stays_ill(service: Start) -> None:
    """It fails again as soon as it serves: within the guard there is no second reload."""
    s = service(workers=1, heartbeat={"interval": 0.2, "guard": 4}).start()
    unwell_only_in_public(s)
    until(lambda: s.status()["heartbeat"]["reloads"] == 1, "the guard of the deploy is over")
    until(lambda: s.status()["generation"] == 3 and s.status()["state"] == "serving", "it has reloaded")
    began, failures = time.monotonic(), s.status()["heartbeat"]["failures"]
    until(lambda: s.status()["heartbeat"]["failures"] >= failures + 5, "it stays ill, for 1 s")
    found = s.status()
    assert time.monotonic() > began + 4 or (found["heartbeat"]["reloads"], found["generation"]) == (1, 3)
    until(lambda: s.status()["heartbeat"]["reloads"] == 2, "the guard of the reload is over")
    assert time.monotonic() > began + 4 / 2, "this test may have seen the reload late"


def test_an_app_that_stays_unhealthy_is_reloaded_at_growing_intervals_and_this_is_logged(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0.1, "guard": 0}).start()
    (s.root / "releases" / "health").write_text("500")
    until(lambda: s.status()["heartbeat"]["reloads"] == 1, "the first reload")
    (s.root / "releases" / "health").write_text("200")
    until(lambda: s.status()["heartbeat"]["status"] == 200, "well")
    unwell_only_in_public(s)
    until(lambda: s.status()["heartbeat"]["failures"] >= 20, "it has failed for long")
    before = s.status()["heartbeat"]["reloads"]
    assert before <= 1 + 3, "at first, after 2 and after 4 seconds, not at each failure"
    table = s.run("status").stdout
    # Another one may have come meanwhile.
    assert any(f"{reloads} reloads" in table for reloads in range(before, s.status()["heartbeat"]["reloads"] + 1))


def unwell_only_in_public(s: Service) -> None:
    """Write an app that answers the probe well and the heartbeat badly: a probe has no port of its own."""
    b = s.release("b")
    app = b / "site_app.py"
    app.write_text(app.read_text().replace('status(scope["path"])', "500 if scope['client'][1] != 1 else 200"))
    s.switch("b")
    assert s.touch()["result"] == "ok"


def test_proxies_of_the_environment_are_not_asked(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0.1})
    s.environment |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:1")
    s.start()
    until(lambda: s.status()["heartbeat"]["status"] == 200, "the app is asked itself")
    assert s.status()["heartbeat"]["failures"] == 0


# -- what it cannot see -----------------------------------------------------------------------------------------------


def test_one_blocked_loop_is_replaced_while_the_heartbeat_is_well(service: Start) -> None:
    s = service(workers=2, worker={"hang_timeout": 2}, heartbeat={"interval": 0.2}).start()
    before = set(s.pids())
    request = s.open("/block")
    until(lambda: len(set(s.pids()) & before) == 1 and len(s.pids()) == 2, "one of them is replaced")
    assert " hangs: " in s.log()
    until(lambda: len(s.status()["workers"]) == 2, "the stuck one is gone")
    assert "in act" in s.log(), "SIGABRT has shown where it was stuck"
    assert s.status()["heartbeat"] == s.status()["heartbeat"] | {"status": 200, "reloads": 0}
    assert s.status()["generation"] == 1
    request.close()


def test_a_stopped_worker_is_replaced(service: Start) -> None:
    s = service(workers=2, worker={"hang_timeout": 2}, heartbeat={"interval": 0}).start()
    victim, other = s.pids()
    os.kill(victim, signal.SIGSTOP)
    until(lambda: victim not in s.pids() and len(s.pids()) == 2, "it is replaced")
    assert other in s.pids()
    until(lambda: not alive(victim), "SIGKILL needs no SIGCONT")
    assert Path(f"/proc/{other}").exists()
