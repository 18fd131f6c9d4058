"""From the start of a worker to its first connection: what it reports, and what it must not do yet."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import venv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.support.procmon.fake_master import APPS, Client, Worker, listen

Start = Callable[..., Worker]
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def interpreters() -> list[str]:
    """Find an interpreter of each version that this machine has: pyenv's own, or on the PATH; at least our own."""
    pyenv = [str(path) for version in VERSIONS for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    named = filter(None, (shutil.which(f"python{version}") for version in VERSIONS))
    return pyenv or [*{sys.executable, *named}]


def test_worker_reports_each_stage_in_order(start: Start) -> None:
    worker = start()
    assert worker.next() == {"type": "loaded"}
    assert worker.next() == {"type": "started"}
    worker.command("accept")
    assert worker.next() == {"type": "accepting"}


def test_nothing_is_accepted_before_the_command(start: Start, listener: socket.socket) -> None:
    """The connection stays in the shared queue, where another worker can take it."""
    worker = start().started()
    with socket.create_connection(listener.getsockname()) as waiting:
        worker.report()
        taken, _ = listener.accept()
        assert taken.getpeername() == waiting.getsockname()
        taken.close()


def test_probes_are_served_before_the_accept_command(start: Start, server: dict[str, str]) -> None:
    worker = start(**server).started()
    for _ in range(3):
        with worker.probe() as sock:
            probe = Client(sock)
            assert probe.get("/").body == str(worker.process.pid).encode()
            found = json.loads(probe.get("/scope").body)
            assert found["client"] is None
            assert found["scheme"] == "http"
            assert probe.get("/scope").headers["date"]


def test_accepted_connections_are_served(start: Start, server: dict[str, str], client: Callable[[], Client]) -> None:
    worker = start(**server).accepting()
    assert client().get().body == str(worker.process.pid).encode()


def test_unix_listener_is_served_and_stays(
    start: Start, server: dict[str, str], client: Callable[..., Client], tmp_path: Path
) -> None:
    """The socket's file belongs to the master: a worker that ends must leave it."""
    path = str(tmp_path / "app.sock")
    with listen(path) as listener:
        worker = start(on=listener, **server).accepting()
        connection = client(path)
        assert connection.get().status == 200
        worker.drain()
        assert connection.get().closes
        assert worker.drained() == 0
        assert Path(path).is_socket()
        assert start(on=listener, **server).accepting()
        assert client(path).get().status == 200


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_listener_keeps_its_queue(start: Start, listener: socket.socket, loop: str) -> None:
    """Listening again with a shorter queue would refuse connections while all workers are busy."""
    before = queue_length(listener)
    start(loop=loop).accepting()
    assert queue_length(listener) == before


def queue_length(listener: socket.socket) -> int:
    """Read the accept queue's limit from the kernel's TCP_INFO: for listeners it is in the `sacked` field."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int.from_bytes(info[28:32], "little")


def test_ticks_count_what_is_served(start: Start, client: Callable[[], Client]) -> None:
    worker = start().accepting()
    connection = client()
    for _ in range(3):
        assert connection.get().status == 200
    report = worker.report()
    while report["requests"] < 3:
        report = worker.report()
    assert (report["requests"], report["in_flight"], report["connections"]) == (3, 0, 1)


def test_an_unchanged_report_is_not_repeated(start: Start, client: Callable[[], Client]) -> None:
    worker = start(tick_interval=3600.0).accepting()
    connection = client()
    reports: list[dict[str, Any]] = []
    for requests in range(1, 4):
        assert connection.get().status == 200
        while not reports or reports[-1]["requests"] < requests:
            reports.append(worker.report())
    assert all(later != sooner for sooner, later in pairwise(reports))


def test_an_unchanged_report_is_repeated_in_each_tick_interval(start: Start) -> None:
    worker = start(tick_interval=1.5).accepting()
    assert worker.report() == worker.report()


def test_ticks_do_not_pile_up_behind_a_master_that_does_not_read(start: Start, client: Callable[[], Client]) -> None:
    """The first report after a pause is a little old, but the worker has never waited."""
    worker = start().accepting()
    worker.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    assert client().get().status == 200
    worker.report()


def test_release_comes_first_on_the_path(start: Start, tmp_path: Path) -> None:
    """Neither the worker's own directory nor procmon's is importable, by whatever name."""
    release = tmp_path / "release"
    release.mkdir()
    (release / "site.cfg").write_text("")
    (release / "channel.py").write_text("NAME = 'the release'\n")
    (release / "shop.py").write_text(
        "import channel, importlib.util, json, os, sys\n"
        "from behaviours_of_shop import respond\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    importable = [bool(importlib.util.find_spec(name)) for name in ('procmon', 'drain', 'boot', 'loader')]\n"
        "    found = [channel.NAME, sys.path[0], os.getcwd(), importable]\n"
        "    await respond(send, json.dumps(found).encode())\n"
    )
    (release / "behaviours_of_shop.py").write_text((APPS / "behaviours.py").read_text())
    worker = start("shop:app", directory=release, env={"PYTHONPATH": ""}).started()
    with worker.probe() as sock:
        found = json.loads(Client(sock).get().body)
    assert found == ["the release", str(release), str(release), [False] * 4]


@pytest.mark.parametrize("python", interpreters())
def test_every_interpreter_of_this_machine_serves_and_drains(
    start: Start, client: Callable[[], Client], python: str
) -> None:
    """uvicorn and h11 are pure Python: another version can take them from the environment of the tests."""
    site_packages = str(Path(uvicorn.__file__).parent.parent)
    worker = start(python=python, env={"PYTHONPATH": site_packages}, loop="asyncio", http="h11", ws="none")
    connection = client()
    assert worker.accepting().process.poll() is None
    assert connection.get().status == 200
    worker.drain()
    assert connection.get().closes
    assert worker.drained() == 0


def test_missing_uvicorn_is_reported_with_its_interpreter(start: Start, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", symlinks=True)
    python = str(tmp_path / "empty/bin/python")
    worker = start(python=python, env={"PYTHONPATH": ""})
    failed = worker.expect("failed")
    assert failed["stage"] == "import"
    assert f"uvicorn is not installed for {python}: add uvicorn to the app's requirements" in failed["error"]
    assert worker.exit_code() == 1


def test_interpreter_that_is_too_old_is_named(start: Start, tmp_path: Path) -> None:
    """Most machines have no such interpreter any more: this one pretends to be one."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 9, 2)\n")
    worker = start(env={"PYTHONPATH": str(tmp_path)})
    failed = worker.expect("failed")
    assert failed["stage"] == "import"
    assert "is Python 3.9.2" in failed["error"]
    assert "3.10 or newer" in failed["error"]
    assert worker.exit_code() == 1


PRINTS = """
import json, os, socket

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.dup2(theirs.fileno(), 1)
print("a", 1)
print("b", flush=True)
with open("written", "w") as file:
    json.dump([ours.recv(100).decode(), ours.recv(100).decode()], file)


async def app(scope, receive, send):
    await receive()
"""


def test_each_line_that_the_app_prints_is_one_write(start: Start, tmp_path: Path) -> None:
    """Lines of several workers are mixed otherwise: a newline that is written alone comes after another's line."""
    (tmp_path / "prints.py").write_text(PRINTS)
    start("prints:app", directory=tmp_path, env={"PYTHONUNBUFFERED": "1"}).started()
    assert json.loads((tmp_path / "written").read_text()) == ["a 1\n", "b\n"]
