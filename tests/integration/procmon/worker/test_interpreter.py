"""The app finds the interpreter in a worker as it finds it under `uvicorn module:app`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.procmon.fake_master import APPS, Client, Worker, connect
from tests.support.waiting import until

Start = Callable[..., Worker]
Release = Callable[[str], Path]
APPS_FIRST = {"PYTHONPATH": str(APPS)}

OBSERVER = """
import asyncio, gc, os, signal, sys, threading
from pages import serve

def observe():
    try:
        loop = type(asyncio.get_running_loop()).__name__
    except RuntimeError:
        loop = None
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return {
        "argv": sys.argv,
        "loop": loop,
        "threads": threading.active_count(),
        "main": sys.modules["__main__"].__spec__,
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "blocked": status["SigBlk"].strip(),
        "ignored": status["SigIgn"].strip(),
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "stdin": os.readlink("/proc/self/fd/0"),
    }

SEEN = {"import": observe()}
app = serve(seen=lambda: {**SEEN, "request": observe()})

def make():
    SEEN["factory"] = observe()
    return app
"""


@contextmanager
def stock_uvicorn(directory: Path, *arguments: str) -> Iterator[Client]:
    """Run uvicorn's own command on a unix socket; yield a client."""
    path = str(directory / "stock.sock")
    command = [str(Path(sys.executable).with_name("uvicorn")), *arguments]
    with subprocess.Popen(
        [*command, "--uds", path],
        cwd=directory,
        env=APPS_FIRST,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        until(lambda: is_listening(path), "uvicorn listens")
        client = Client(connect(path))
        yield client
        client.close()
        process.kill()


def is_listening(path: str) -> bool:
    """Return whether a unix socket accepts connections."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(path) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("name", ["app", "make"])
def test_the_app_finds_what_it_finds_under_uvicorn(start: Start, release: Release, loop: str, name: str) -> None:
    directory = release(OBSERVER)
    factory = name == "make"
    worker = start(f"shop:{name}", directory=directory, env=APPS_FIRST, loop=loop, factory=factory).started()
    with worker.probe() as sock:
        seen = json.loads(Client(sock).get("/seen").body)
    with stock_uvicorn(directory, f"shop:{name}", "--loop", loop, *(["--factory"] if factory else [])) as client:
        expected = json.loads(client.get("/seen").body)
    for observed in expected.values():
        observed["argv"] = observed["argv"][:2]
    assert seen == expected


def test_there_is_no_thread_but_the_apps(start: Start, release: Release) -> None:
    """gevent can only patch an interpreter that has one thread, whether Python or a C library started the others."""
    source = (
        "import os, threading\nfrom pages import serve\n"
        "def count():\n    return [threading.active_count(), len(os.listdir('/proc/self/task'))]\n"
        "assert count() == [1, 1]\napp = serve(count=count)\n"
    )
    worker = start("shop:app", directory=release(source), env=APPS_FIRST, loop="asyncio").accepting()
    with worker.probe() as sock:
        assert json.loads(Client(sock).get("/count").body) == [1, 1]


def test_asyncio_run_works_at_import(start: Start, release: Release) -> None:
    source = (
        "import asyncio\nfrom pages import serve\n"
        "async def read():\n    await asyncio.sleep(0)\n    return 'read'\n"
        "VALUE = asyncio.run(read())\napp = serve(value=lambda: VALUE)\n"
    )
    worker = start("shop:app", directory=release(source), env=APPS_FIRST).started()
    with worker.probe() as sock:
        assert json.loads(Client(sock).get("/value").body) == "read"


FACTORY = """
import asyncio
from pages import serve

def make():
    try:
        loop = asyncio.get_running_loop() is not None
    except RuntimeError:
        loop = asyncio.run(asyncio.sleep(0, False))
    return serve(loop=lambda: loop)
"""


@pytest.mark.parametrize(
    ("app", "factory", "in_loop"),
    [("shop:make()", False, False), ("shop:make()", True, False), ("shop:make", True, True)],
)
def test_a_factory_is_called(start: Start, release: Release, app: str, factory: bool, in_loop: bool) -> None:
    """Spelled as for gunicorn, it is called as by gunicorn: before the loop. The option is uvicorn's: in the loop."""
    worker = start(app, directory=release(FACTORY), env=APPS_FIRST, factory=factory).started()
    with worker.probe() as sock:
        assert json.loads(Client(sock).get("/loop").body) is in_loop


@pytest.mark.parametrize(
    ("app", "factory", "error"),
    [
        (
            "shop:value()",
            False,
            "app = shop:value() is not an app factory: it cannot be called without arguments (int:",
        ),
        ("shop:value", True, "app = shop:value is not an app factory: it cannot be called without arguments (int:"),
        (
            "shop:app()",
            False,
            "app = shop:app() is not an app factory: it cannot be called without arguments (function:",
        ),
        ("shop:missing()", False, 'app = shop:missing(): Attribute "missing" not found in module "shop"'),
        ("shop:broken()", False, "in broken\n    return 1 + ''"),
        ("shop:broken", True, "in broken\n    return 1 + ''"),
    ],
)
def test_a_factory_that_fails_is_reported(start: Start, release: Release, app: str, factory: bool, error: str) -> None:
    source = "value = 1\ndef app(scope, receive, send): ...\ndef broken():\n    return 1 + ''\n"
    failed = start(app, directory=release(source), factory=factory).expect("failed")
    assert failed["stage"] == "import"
    assert error in failed["error"]


HANDLERS = {
    "replaces": "signal.signal(signal.SIGTERM, note)",
    "chains": "before = signal.signal(signal.SIGTERM, lambda *a: (note(), before(*a)))",
}


@pytest.mark.parametrize(("handler", "drains"), [("replaces", False), ("chains", True)])
def test_a_sigterm_handler_of_the_app_has_precedence(
    start: Start, release: Release, handler: str, drains: bool
) -> None:
    """As under uvicorn, where such a handler replaces uvicorn's when the lifespan starts."""
    source = (
        "import signal\nfrom pages import lifespan\ndef note(*_):\n    open('terminated', 'w').close()\n"
        "async def app(scope, receive, send):\n    assert scope['type'] == 'lifespan'\n"
        f"    global before\n    {HANDLERS[handler]}\n    await lifespan(receive, send)\n"
    )
    directory = release(source)
    worker = start("shop:app", directory=directory, env=APPS_FIRST).accepting()
    worker.process.send_signal(signal.SIGTERM)
    until((directory / "terminated").exists, "the app's handler")
    if not drains:
        worker.report("tick")
        worker.drain()
    assert worker.drained() == 0


def test_libraries_can_watch_for_the_shutdown(start: Start, release: Release) -> None:
    """sse-starlette finds the server by its SIGTERM handler, and ends event streams when it should exit."""
    source = (
        "import signal, uvicorn\nfrom pages import serve\n"
        "def find():\n    server = signal.getsignal(signal.SIGTERM).__self__\n"
        "    return [isinstance(server, uvicorn.Server), server.should_exit]\n"
        "app = serve(find=find)\n"
    )
    worker = start("shop:app", directory=release(source), env=APPS_FIRST).started()
    with worker.probe() as sock:
        client = Client(sock)
        assert json.loads(client.get("/find").body) == [True, False]
        worker.drain()
        assert json.loads(client.get("/find").body) == [True, True]
    assert worker.drained() == 0


STREAM = """
import asyncio, signal
from pages import lifespan

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while not signal.getsignal(signal.SIGTERM).__self__.should_exit:
        await send({"type": "http.response.body", "body": b"data: x", "more_body": True})
        await asyncio.sleep(0.02)
"""


def test_an_event_stream_that_the_app_ends_at_the_shutdown_is_complete(
    start: Start, release: Release, server: dict[str, str]
) -> None:
    """sse-starlette returns without a last part, which uvicorn answers by breaking off the connection."""
    worker = start("shop:app", directory=release(STREAM), env=APPS_FIRST, **server).started()
    with worker.probe() as sock:
        client = Client(sock)
        client.request()
        until(client.has_news, "the first part")
        worker.drain()
        assert worker.drained() == 0
        assert b"".join(iter(lambda: sock.recv(65536), b"")).endswith(b"\r\n0\r\n\r\n")
    assert worker.complaints() == ""


def scope_of(connection: Client) -> dict[str, Any]:
    """Return the app's view of a connection."""
    found: dict[str, Any] = json.loads(connection.get("/scope").body)
    return found


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "addresses",
    [
        {},
        {"client": ["127.0.0.1", 4242], "server": ["127.0.0.1", 8000]},
        {"client": ["::1", 4242]},
        {"client": None, "server": ["/run/app.sock", None]},
    ],
)
def test_a_probe_has_the_addresses_that_it_is_given(
    start: Start, http: str, loop: str, addresses: dict[str, Any]
) -> None:
    worker = start(http=http, loop=loop).started()
    with worker.probe(**addresses) as sock:
        client = Client(sock)
        for _ in range(2):
            found = scope_of(client)
            assert found["client"] == addresses.get("client")
            assert found["server"] == addresses.get("server", found["server"])
