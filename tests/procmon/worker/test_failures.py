"""What a worker that cannot serve tells the master, and how it ends."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

from .fake_master import Client, Worker

Start = Callable[..., Worker]
STARTED = ["await receive()", "await send({'type': 'lifespan.startup.complete'})", "await receive()"]
APP = "async def app(scope, receive, send):\n    {}\n"


@pytest.fixture
def release(tmp_path: Path) -> Callable[[str], Path]:
    """Give a function that makes a release directory whose module `shop` has the given source."""

    def make(source: str) -> Path:
        directory = tmp_path / "release"
        directory.mkdir()
        (directory / "shop.py").write_text(source)
        return directory

    return make


def failure(worker: Worker, stage: str) -> str:
    """Wait for the worker's failure and its end; give the error."""
    message = worker.next()
    while message["type"] == "loaded":
        message = worker.next()
    assert (message["type"], message["stage"]) == ("failed", stage), message
    assert worker.exit_code() == 1
    return str(message["error"])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def broken(:\n    pass\n", "SyntaxError"),
        ("undefined_name\n", "NameError: name 'undefined_name' is not defined"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("other = 1\n", 'Attribute "app" not found in module "shop"'),
    ],
)
def test_import_error_is_told(start: Start, release: Callable[[str], Path], source: str, told: str) -> None:
    assert told in failure(start("shop:app", directory=release(source)), "import")


def test_traceback_begins_with_the_app(start: Start, release: Callable[[str], Path]) -> None:
    """Whoever reads it in a failed deploy's output wants the line to mend, not the import machinery."""
    error = failure(start("shop:app", directory=release("def f():\n    1 / 0\nf()\n")), "import")
    lines = error.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "shop.py" in lines[1]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_long_error_keeps_its_end(start: Start, release: Callable[[str], Path]) -> None:
    error = failure(start("shop:app", directory=release("raise ValueError('x' * 100_000 + 'the end')\n")), "import")
    assert error.endswith("the end")
    assert len(error) <= 8000


def test_missing_module_is_told_with_the_place(start: Start, release: Callable[[str], Path]) -> None:
    directory = release("")
    error = failure(start("blog.main:app", directory=directory), "import")
    assert "app = blog.main:app" in error
    assert str(directory) in error


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"no_such_option": 1}, "no_such_option"),
        ({"port": 80}, "[uvicorn] port: set by procmon itself"),
        ({"http": "http.server:BaseHTTPRequestHandler"}, "[uvicorn] http: BaseHTTPRequestHandler cannot be drained"),
        ({"log_level": "shout"}, "shout"),
        ({"http": "no_such_module:Protocol"}, '[uvicorn] Could not import module "no_such_module"'),
        ({"loop": "no_such_module:loop"}, "SystemExit"),
    ],
)
def test_bad_option_is_told(start: Start, options: dict[str, Any], told: str) -> None:
    message = start(**options).expect("failed")
    assert told in message["error"]


LIFESPANS = {
    "raises before the answer": ("await receive(); raise RuntimeError('no database')", "RuntimeError: no database"),
    "says failed": (
        "await receive(); await send({'type': 'lifespan.startup.failed', 'message': 'no cache'})",
        "no cache",
    ),
    "says failed without a word": (
        "await receive(); await send({'type': 'lifespan.startup.failed'})",
        "the app sent lifespan.startup.failed without a message",
    ),
    "exits": ("await receive(); raise SystemExit(4)", "SystemExit: 4"),
}


@pytest.mark.parametrize(("body", "told"), LIFESPANS.values(), ids=LIFESPANS)
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_lifespan_that_fails_is_told(
    start: Start, release: Callable[[str], Path], body: str, told: str, mode: str
) -> None:
    """uvicorn's own `auto` would serve the first of these: the app has said that it cannot."""
    worker = start("shop:app", directory=release(APP.format(body)), lifespan=mode)
    worker.expect("loaded")
    message = worker.expect("failed")
    assert told in message["error"]
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


def test_lifespan_off_is_not_asked(start: Start, release: Callable[[str], Path]) -> None:
    worker = start("shop:app", directory=release(APP.format("raise RuntimeError('asked')")), lifespan="off")
    worker.started()


def test_lifespan_that_hangs_says_nothing_and_can_be_terminated(start: Start, release: Callable[[str], Path]) -> None:
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
    ids=["raises", "says failed"],
)
def test_lifespan_that_fails_at_its_end_is_logged(start: Start, release: Callable[[str], Path], end: str) -> None:
    worker = start("shop:app", directory=release(APP.format("\n    ".join([*STARTED, end])))).started()
    worker.drain()
    assert worker.drained() == 0
    assert "The app's lifespan shutdown" in worker.complaints()
    assert "late" in worker.complaints()


def test_master_that_dies_ends_even_an_import_that_hangs(start: Start, release: Callable[[str], Path]) -> None:
    directory = release("import time\nopen('hanging', 'w').close()\ntime.sleep(3600)\n")
    worker = start("shop:app", directory=directory)
    until((directory / "hanging").exists, "the import")
    worker.channel.close()
    assert worker.exit_code() == -signal.SIGKILL


def test_forked_child_of_a_worker_without_a_master_does_not_keep_the_port(
    start: Start, release: Callable[[str], Path], listener: socket.socket
) -> None:
    """A pool of processes made by fork inherits the listening socket, whatever its flags say."""
    source = f"import os, time\nif os.fork() == 0:\n    time.sleep(3600)\n{APP.format('return')}"
    worker = start("shop:app", directory=release(source)).accepting()
    address = listener.getsockname()
    listener.close()
    worker.channel.close()
    assert worker.exit_code() == -signal.SIGKILL

    def refused() -> bool:
        with socket.socket() as user:
            return user.connect_ex(address) == errno.ECONNREFUSED

    until(refused, "nobody listens any more")


def test_control_and_listening_sockets_are_not_passed_on(start: Start, release: Callable[[str], Path]) -> None:
    """A program that the app leaves behind would else keep the port, and hide the worker's end from the master."""
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
    worker.drain()
    assert worker.drained() == 0


def test_exit_handlers_run(start: Start, release: Callable[[str], Path]) -> None:
    directory = release(f"import atexit\natexit.register(open, 'exited', 'w')\n{APP.format('return')}")
    worker = start("shop:app", directory=directory).started()
    worker.drain()
    assert worker.drained() == 0
    assert (directory / "exited").exists()


def test_output_of_the_app_is_flushed(start: Start, release: Callable[[str], Path]) -> None:
    """Even though a thread keeps the interpreter from its own orderly end."""
    source = (
        "import sys, threading, time\nsys.stderr = open(2, 'w', buffering=1 << 16, closefd=False)\n"
        "threading.Thread(target=time.sleep, args=(3600,)).start()\n"
        f"print('buffered', file=sys.stderr)\n{APP.format('return')}"
    )
    worker = start("shop:app", directory=release(source)).started()
    worker.drain()
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


def test_request_limit_drains(start: Start, client: Callable[[], Client]) -> None:
    """uvicorn's own limit, where somebody has set it."""
    worker = start(limit_max_requests=2).accepting()
    for _ in range(2):
        assert client().get().status == 200
    assert worker.drained() == 0
