"""Stops at each moment."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from tests.support.procmon.service import Start, alive
from tests.support.waiting import until

PROMPT_SECONDS = 5.0
OVERRUN_SECONDS = 20.0
"""A worker that does not end is ended so long after its deadline."""
SLACK_SECONDS = 5.0
"""What a busy machine may add."""
HANGS = "from pathlib import Path\nPath(__file__).with_name('begun').touch()\nimport time\ntime.sleep(3600)\n"


def test_sigterm_during_the_first_boot_is_prompt(service: Start) -> None:
    s = service(reload={"boot_timeout": 3600})
    (s.root / "releases" / "a" / "site_app.py").write_text(HANGS)
    s.start("booting")
    until((s.root / "releases" / "a" / "begun").exists, "it imports")
    workers = [worker["pid"] for worker in s.status()["workers"]]
    s.signal(signal.SIGTERM)
    assert s.wait_exit(PROMPT_SECONDS) == 0
    assert workers
    assert not any(alive(pid) for pid in workers)


def test_sigterm_during_a_reload_finishes_what_serves_and_ends_what_boots(service: Start, tmp_path: Path) -> None:
    s = service(reload={"boot_timeout": 3600}).start()
    with s.hold(tmp_path / "barrier") as request:
        b = s.release("b", code=HANGS)
        s.switch("b")
        s.restart_file.touch()
        until((b / "begun").exists, "the new one imports")
        workers = [worker["pid"] for worker in s.status()["workers"]]
        assert len(workers) == 2 + min(2, os.cpu_count() or 1)
        s.signal(signal.SIGTERM)
        s.wait_state("stopping")
        request.go()
        assert request.answer() == (200, "a")
    assert s.wait_exit(PROMPT_SECONDS) == 0
    assert not any(alive(pid) for pid in workers)


def test_a_request_beyond_the_deadline_is_cut_and_named(service: Start, tmp_path: Path) -> None:
    s = service(workers=1, reload={"drain_timeout": 3}).start()
    old = s.pids()
    with s.hold(tmp_path / "barrier") as request:
        assert s.deploy("b")["result"] == "ok"
        drains = time.monotonic()
        assert request.answer()[0] == 500
        took = time.monotonic() - drains
    assert 3 - 1 < took < 3 + SLACK_SECONDS, "the answer to the touch comes right after the order"
    until(lambda: not alive(old[0]), "the old worker has gone", OVERRUN_SECONDS + SLACK_SECONDS)
    assert "aborting 1 requests: GET /hold" in s.log()
    assert "had to abort 1 requests" in s.log()
    s.wait_version("b")


def test_a_request_that_blocks_the_loop_does_not_keep_a_drained_worker(service: Start) -> None:
    """It cannot be cancelled: the worker is killed 20 s after its deadline."""
    s = service(workers=1, reload={"drain_timeout": 0}, worker={"hang_timeout": 3600}, heartbeat={"interval": 0})
    s.start()
    old = s.pids()
    request = s.open("/block")
    assert s.deploy("b")["result"] == "ok"
    drains = time.monotonic()
    until(lambda: not alive(old[0]), "the old worker has gone", OVERRUN_SECONDS + SLACK_SECONDS)
    assert time.monotonic() - drains > OVERRUN_SECONDS - 3, "it had time to end by itself"
    until(lambda: "exited (SIG" in s.log(), "its end is told")
    request.close()
    s.wait_version("b")


def test_after_the_stop_no_process_listens(service: Start) -> None:
    s = service().start()
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    with socket.socket() as user:
        assert user.connect_ex(("127.0.0.1", s.port)) != 0
