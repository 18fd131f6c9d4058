"""A second signal that comes while the process of a task handles the first one, with Ansible's own handler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
TASK = """
import contextlib, os, signal, subprocess, sys, threading, time, types
from ansible.executor.process.worker import WorkerProcess
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _stop_signals

os.setsid()
killpg = os.killpg

def kill_after_another_signal(pid, number):
    os.kill(os.getpid(), signal.SIGTERM)
    killpg(pid, number)

# As the thread that follows a deploy: a signal that is blocked in one thread reaches the other.
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
os.killpg = kill_after_another_signal
task = types.SimpleNamespace(pid=os.getpid())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *signal_: WorkerProcess._term(task, *signal_))
with _stop_signals.one_at_a_time() if sys.argv[1] == "one at a time" else contextlib.nullcontext():
    started = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(started.pid, flush=True)
    started.wait()
"""


@pytest.fixture(params=["one at a time", "as they come"])
def task(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, bool]]:
    """The process of a task, the pid of what it has started, and whether that shall end with it."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'collections'}"}
    argv = [sys.executable, "-c", TASK, request.param]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        started = int(process.stdout.readline())
        try:
            yield process, started, request.param == "one at a time"
        finally:
            with suppress(ProcessLookupError):
                os.kill(started, signal.SIGKILL)
            process.kill()


def is_running(pid: int) -> bool:
    """Return whether a process has not ended; its parent may have, and nothing reaps it then."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_task_has_started_ends_with_it(
    task: tuple[subprocess.Popen[str], int, bool], number: signal.Signals
) -> None:
    process, started, ends = task
    process.send_signal(number)
    assert process.wait(60) != 0
    if ends:
        until(lambda: not is_running(started), "what it has started has ended")
    else:
        assert is_running(started), "Ansible passes it on by itself: the precaution can go"
