"""What a worker that cannot serve reports to the master, and how its process exits."""

from __future__ import annotations

import errno
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.procmon.fake_master import APPS, Client, Worker
from tests.support.waiting import until

Start = Callable[..., Worker]
STARTED = ["await receive()", "await send({'type': 'lifespan.startup.complete'})", "await receive()"]
APP = "async def app(scope, receive, send):\n    {}\n"


def failure(worker: Worker, stage: str) -> str:
    """Wait for the worker's failure and its exit; return the error."""
    message = worker.next()
    while message["type"] == "loaded":
        message = worker.next()
    assert (message["type"], message["stage"]) == ("failed", stage), message
    assert worker.exit_code() == 1
    return str(message["error"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def broken(:\n    pass\n", "SyntaxError"),
        ("undefined_name\n", "NameError: name 'undefined_name' is not defined"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("other = 1\n", 'Attribute "app" not found in module "shop"'),
    ],
)
def test_import_error_is_reported(start: Start, release: Callable[[str], Path], source: str, expected: str) -> None:
    assert expected in failure(start("shop:app", directory=release(source)), "import")


def test_traceback_begins_with_the_app(start: Start, release: Callable[[str], Path]) -> None:
    """The output of a failed deploy should start at the line to fix, not in the import system."""
    error = failure(start("shop:app", directory=release("def f():\n    1 / 0\nf()\n")), "import")
    lines = error.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "shop.py" in lines[1]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_long_error_keeps_its_end(start: Start, release: Callable[[str], Path]) -> None:
    error = failure(start("shop:app", directory=release("raise ValueError('x' * 100_000 + 'the end')\n")), "import")
    assert error.endswith("the end")
    assert len(error) <= 8000


def test_missing_module_is_reported_with_the_directory(start: Start, release: Callable[[str], Path]) -> None:
    directory = release("")
    error = failure(start("blog.main:app", directory=directory), "import")
    assert "app = blog.main:app" in error
    assert str(directory) in error


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"no_such_option": 1}, "no_such_option"),
        ({"port": 80}, "[uvicorn] port: set by procmon itself"),
        ({"http": "http.server:BaseHTTPRequestHandler"}, "[uvicorn] http: BaseHTTPRequestHandler cannot be drained"),
        ({"log_level": "shout"}, "shout"),
        ({"http": "no_such_module:Protocol"}, '[uvicorn] Could not import module "no_such_module"'),
        ({"loop": "no_such_module:loop"}, "SystemExit"),
    ],
)
def test_bad_option_is_reported(start: Start, options: dict[str, Any], expected: str) -> None:
    message = start(**options).expect("failed")
    assert expected in message["error"]


LIFESPANS = {
    "raises before the answer": ("await receive(); raise RuntimeError('no database')", "RuntimeError: no database"),
    "sends failed": (
        "await receive(); await send({'type': 'lifespan.startup.failed', 'message': 'no cache'})",
        "no cache",
    ),
    "sends failed without a message": (
        "await receive(); await send({'type': 'lifespan.startup.failed'})",
        "the app sent lifespan.startup.failed without a message",
    ),
    "exits": ("await receive(); raise SystemExit(4)", "SystemExit: 4"),
}


@pytest.mark.parametrize(("body", "expected"), LIFESPANS.values(), ids=LIFESPANS)
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_lifespan_failure_is_reported(
    start: Start, release: Callable[[str], Path], body: str, expected: str, mode: str
) -> None:
    """uvicorn's own `auto` would serve the first of these: the app has received the event and failed."""
    worker = start("shop:app", directory=release(APP.format(body)), lifespan=mode)
    worker.expect("loaded")
    message = worker.expect("failed")
    assert expected in message["error"]
    assert worker.exit_code() == 1


NO_LIFESPAN = {
    "raises at once": "assert scope['type'] == 'http'",
    "returns": "return",
    "takes it for a request": "await send({'type': 'http.response.start', 'status': 200, 'headers': []})",
    "reads a body first": "await receive(); await send({'type': 'http.response.start', 'status': 200, 'headers': []})",
}


@pytest.mark.parametrize("body", NO_LIFESPAN.values(), ids=NO_LIFESPAN)
def test_app_without_a_lifespan_starts(start: Start, release: Callable[[str], Path], body: str) -> None:
    worker = start("shop:app", directory=release(APP.format(body))).started()
    worker.drain()
    assert worker.drained() == 0


def test_lifespan_on_refuses_an_app_without_one(start: Start, release: Callable[[str], Path]) -> None:
    worker = start("shop:app", directory=release(APP.format(NO_LIFESPAN["raises at once"])), lifespan="on")
    assert "AssertionError" in failure(worker, "lifespan")


def test_lifespan_off_is_not_called(start: Start, release: Callable[[str], Path]) -> None:
    worker = start("shop:app", directory=release(APP.format("raise RuntimeError('asked')")), lifespan="off")
    worker.started()


def test_lifespan_that_hangs_can_be_terminated(start: Start, release: Callable[[str], Path]) -> None:
    """The master's boot timeout is what ends it: nothing is served, so SIGTERM need not wait for anything."""
    source = APP.format("await receive(); open('hanging', 'w').close(); await receive()")
    directory = release(source)
    worker = start("shop:app", directory=directory)
    worker.expect("loaded")
    until((directory / "hanging").exists, "the app's startup")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.next() == {"type": "end"}
    assert worker.exit_code() == -signal.SIGTERM


@pytest.mark.parametrize(
    "end",
    ["raise RuntimeError('late')", "await send({'type': 'lifespan.shutdown.failed', 'message': 'late'})"],
    ids=["raises", "sends failed"],
)
def test_lifespan_that_fails_at_its_end_is_logged(start: Start, release: Callable[[str], Path], end: str) -> None:
    worker = start("shop:app", directory=release(APP.format("\n    ".join([*STARTED, end])))).started()
    worker.drain()
    assert worker.drained() == 0
    assert "The app's lifespan shutdown" in worker.complaints()
    assert "late" in worker.complaints()


STUCK = {
    "sleeps": "time.sleep(3600)",
    "is busy": "while True: pass",
    "waits for a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "waits for input": "os.read(os.pipe()[0], 1)",
    "waits for a child": "subprocess.run(['sleep', '3600'])",
}
STICK = """
import os, subprocess, sys, threading, time

def stick():
    open('hanging', 'w').close()
    {}

"""
AT_ONCE = "sys.modules['procmon_worker.parent'].ORPHAN_SECONDS = 0.5\n"


def test_master_that_dies_ends_even_an_import_that_hangs(start: Start, release: Callable[[str], Path]) -> None:
    """Within the time that is given to a worker which can still end by itself."""
    directory = release(STICK.format("time.sleep(3600)") + "stick()\n")
    worker = start("shop:app", directory=directory)
    until((directory / "hanging").exists, "the import")
    worker.channel.close()
    before = time.monotonic()
    assert worker.exit_code() == -signal.SIGKILL
    assert 9 < time.monotonic() - before < 12


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
def test_master_that_dies_ends_an_import_that_is_stuck(
    start: Start, release: Callable[[str], Path], stuck: str
) -> None:
    directory = release(STICK.format(stuck) + AT_ONCE + "stick()\n")
    worker = start("shop:app", directory=directory)
    until((directory / "hanging").exists, "the import")
    worker.channel.close()
    assert worker.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_master_that_dies_ends_a_worker_whose_loop_is_blocked(
    start: Start, release: Callable[[str], Path], stuck: str, loop: str
) -> None:
    app = APP.format("assert scope['type'] == 'http'\n    stick()")
    directory = release(STICK.format(stuck) + AT_ONCE + app)
    worker = start("shop:app", directory=directory, loop=loop).started()
    with worker.probe() as sock:
        Client(sock).request()
        until((directory / "hanging").exists, "the request")
        worker.channel.close()
        assert worker.exit_code() == -signal.SIGKILL


def test_master_that_is_dead_already_ends_the_worker(start: Start, release: Callable[[str], Path]) -> None:
    """It has died before the worker began to watch for it."""
    worker = start("shop:app", directory=release("import time\ntime.sleep(3600)\n"))
    worker.channel.close()
    assert worker.exit_code() != 0


def test_forked_child_of_a_worker_without_a_master_does_not_keep_the_port(
    start: Start, release: Callable[[str], Path], listener: socket.socket
) -> None:
    """A pool of processes made by fork inherits the listening socket, whatever its flags are."""
    source = f"import os, time\nif os.fork() == 0:\n    time.sleep(3600)\n{APP.format('return')}"
    worker = start("shop:app", directory=release(source)).accepting()
    address = listener.getsockname()
    listener.close()
    worker.channel.close()
    assert worker.exit_code() == -signal.SIGKILL

    def refused() -> bool:
        with socket.socket() as user:
            return user.connect_ex(address) == errno.ECONNREFUSED

    until(refused, "the port is closed")


def test_control_and_listening_sockets_are_not_passed_on(start: Start, release: Callable[[str], Path]) -> None:
    """Otherwise a program that the app leaves behind would keep the port open, and the channel too."""
    source = (
        "import os, subprocess\n"
        "links = subprocess.run(['ls', '-l', '/proc/self/fd'], capture_output=True, text=True, check=True).stdout\n"
        "raise ValueError(f'sockets: {links.count(chr(115) + \"ocket:\")}')\n"
    )
    assert "sockets: 0" in failure(start("shop:app", directory=release(source)), "import")


def test_thread_that_never_ends_does_not_keep_the_worker(start: Start, release: Callable[[str], Path]) -> None:
    source = (
        f"import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n{APP.format('return')}"
    )
    worker = start("shop:app", directory=release(source)).started()
    worker.drain(seconds=0.3)
    assert worker.drained() == 0


def test_exit_handlers_run(start: Start, release: Callable[[str], Path]) -> None:
    directory = release(f"import atexit\natexit.register(open, 'exited', 'w')\n{APP.format('return')}")
    worker = start("shop:app", directory=directory).started()
    worker.drain()
    assert worker.drained() == 0
    assert (directory / "exited").exists()


def test_a_task_that_fails_when_it_is_cancelled_is_logged(start: Start, release: Callable[[str], Path]) -> None:
    """As asyncio.run() does."""
    source = (
        "import asyncio\nTASKS = []\nasync def linger():\n    try:\n        await asyncio.sleep(3600)\n"
        "    finally:\n        raise ValueError('cleanup')\n"
        + APP.format("TASKS.append(asyncio.create_task(linger())); " + "\n    ".join(STARTED))
    )
    worker = start("shop:app", directory=release(source)).started()
    worker.drain()
    assert worker.drained() == 0
    assert "ValueError: cleanup" in worker.complaints()


def test_output_of_the_app_is_flushed(start: Start, release: Callable[[str], Path]) -> None:
    """Even though a thread keeps the interpreter from its own orderly end."""
    source = (
        "import sys, threading, time\nsys.stderr = open(2, 'w', buffering=1 << 16, closefd=False)\n"
        "threading.Thread(target=time.sleep, args=(3600,)).start()\n"
        f"print('buffered', file=sys.stderr)\n{APP.format('return')}"
    )
    worker = start("shop:app", directory=release(source)).started()
    worker.drain(seconds=0.3)
    assert worker.drained() == 0
    assert "buffered" in worker.complaints()


def test_sigint_is_left_to_the_master(start: Start, client: Callable[[], Client]) -> None:
    worker = start().accepting()
    worker.process.send_signal(signal.SIGINT)
    assert client().get().status == 200
    worker.report()


def test_sigterm_drains(start: Start, client: Callable[[], Client]) -> None:
    worker = start().accepting()
    connection = client()
    assert connection.get().status == 200
    worker.process.send_signal(signal.SIGTERM)
    worker.report("draining")
    assert connection.get().closes
    assert worker.drained() == 0


def test_sigterm_drains_for_drain_timeout(start: Start, client: Callable[[], Client], tmp_path: Path) -> None:
    worker = start(drain_timeout=0.3).accepting()
    connection = client()
    connection.request(f"/hold?{tmp_path / 'barrier'}")
    until((tmp_path / "barrier.held").exists, "the held request")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.drained() == 1
    assert connection.response().status == 500


# The least times are long ones: the app of a test shortens them.
SHORT = """
import asyncio, atexit, sys, threading, time
sys.modules['procmon_worker.server'].LIFESPAN_SECONDS = 0.2
sys.modules['procmon_worker.main'].TEARDOWN_SECONDS = 0.2
"""
LASTING = {
    "shutdown": APP.format("\n    ".join([*STARTED, "await asyncio.sleep(1)", "open('done', 'w').close()"])),
    "exit handler": "@atexit.register\ndef end():\n    time.sleep(1)\n    open('done', 'w').close()\n"
    + APP.format("return"),
    "thread": "def run():\n    time.sleep(1)\n    open('done', 'w').close()\n"
    + APP.format("\n    ".join([*STARTED, "threading.Thread(target=run).start()"])),
    "executor": "def run():\n    time.sleep(1)\n    open('done', 'w').close()\n"
    + APP.format("\n    ".join([*STARTED, "asyncio.get_running_loop().run_in_executor(None, run)"])),
    # As asyncio.run() does, the loop serves the threads of its executor to their end.
    "executor that uses the loop": "def run(loop):\n    time.sleep(0.5)\n"
    "    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.5), loop).result()\n    open('done', 'w').close()\n"
    + APP.format(
        "\n    ".join([*STARTED, "loop = asyncio.get_running_loop()", "loop.run_in_executor(None, run, loop)"])
    ),
}


@pytest.mark.parametrize("source", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize(("seconds", "done"), [(20.0, True), (0.3, False)])
def test_what_the_requests_leave_of_the_drains_time_is_for_the_end(
    start: Start, release: Callable[[str], Path], source: str, seconds: float, done: bool
) -> None:
    directory = release(SHORT + source)
    worker = start("shop:app", directory=directory).accepting()
    worker.drain(seconds=seconds)
    assert worker.drained() == 0
    assert (directory / "done").exists() is done


FAILING = """
import asyncio
from pages import lifespan

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        open("stopped", "w").close()
        return
    await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
    await asyncio.sleep(0.1)
    raise KeyError("the reason")
"""


def test_the_reason_of_a_500_is_logged_though_the_drain_has_no_time(
    start: Start, release: Callable[[str], Path], server: dict[str, str]
) -> None:
    """The master ends a worker whose probe has failed, and the traceback is what the user needs to see."""
    directory = release(FAILING)
    worker = start("shop:app", directory=directory, env={"PYTHONPATH": str(APPS)}, **server).started()
    with worker.probe() as sock:
        assert Client(sock).get().status == 500
        worker.command("drain", seconds=0)
        before = time.monotonic()
        assert worker.drained() == 0
        assert time.monotonic() - before < 2
    assert "KeyError: 'the reason'" in worker.complaints()
    assert (directory / "stopped").exists()
