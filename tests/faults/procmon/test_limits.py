"""A machine that has nothing left: file descriptors, space, a reader of the log; and headers beyond measure."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.procmon.load import busy
from tests.support.procmon.service import Service, Start, alive
from tests.support.waiting import until


@contextlib.contextmanager
def no_descriptors(pid: int, spare: int) -> Iterator[None]:
    """Limit a process to `spare` more open files for a while."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + spare, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_worker_without_descriptors_serves_whom_it_has_and_drains(service: Start, tmp_path: Path, loop: str) -> None:
    s = service(workers=1, heartbeat={"interval": 0}, reload={"idle_grace": 0.2}, uvicorn={"loop": loop}).start()
    worker = s.pids()[0]
    with contextlib.ExitStack() as clients:
        held = clients.enter_context(s.hold(tmp_path / "barrier"))
        with no_descriptors(worker, 4):
            crowd = [clients.enter_context(contextlib.closing(s.open("/version"))) for _ in range(24)]
            assert crowd[0].getresponse().read()[:1] == b"a"
            assert s.pids() == [worker]
            hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, hard))  # also what becomes free is of no use
            assert s.deploy("b")["result"] == "ok"
            assert {connection.getresponse().read()[:1] for connection in crowd[1:]} <= {b"a", b"b"}
            assert crowd[0].sock.recv(1) == b"", "it was idle, and is closed"
            held.go()
            assert held.answer() == (200, "a")
            until(lambda: not alive(worker), "it has drained")
    assert "failed" not in s.log()
    s.wait_version("b")


def test_a_master_without_descriptors_fails_a_reload_with_the_reason_and_serves_on(service: Start) -> None:
    """Whichever of the files that a worker needs is the one too many."""
    s = service(heartbeat={"interval": 0}).start()
    old = s.pids()
    assert s.process
    with busy(s):
        for spare in range(8):
            with no_descriptors(s.process.pid, spare):
                answer = s.deploy(f"v{spare}")
            if answer["result"] == "ok":
                break
            assert "Too many open files" in answer["error"]
            assert s.pids() == old
        assert spare >= 4, "a worker's channel, its output and its pidfd"
        assert s.deploy("b")["result"] == "ok"
        s.wait_version("b")
    until(lambda: len(s.status()["workers"]) == 2, "nothing is left of the others")
    until(lambda: len(children(s)) == 2, "no process is left over")


def test_a_master_without_descriptors_refuses_an_upgrade_with_the_reason(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0}).start()
    assert s.process
    with no_descriptors(s.process.pid, 0):
        s.signal(signal.SIGUSR2)
        until(lambda: "upgrade refused" in s.log(), "it is refused")
    assert "Too many open files" in s.log()
    assert "Traceback" not in s.log()
    assert s.deploy("b")["result"] == "ok"


def children(s: Service) -> list[str]:
    """List procmon's own children."""
    assert s.process
    tasks = Path(f"/proc/{s.process.pid}/task").iterdir()
    return [pid for task in tasks for pid in (task / "children").read_text().split()]


# -- the disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mount("-t", "tmpfs", "-o", "size=64k", "none", str(path))
    yield path
    umount("--lazy", str(path))


def mount(*arguments: str) -> None:
    """Run mount(8)."""
    subprocess.run(["/bin/mount", *arguments], check=True)


def umount(*arguments: str) -> None:
    """Run umount(8)."""
    subprocess.run(["/bin/umount", *arguments], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more fits; return the file that takes the room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 512)
    return ballast


def test_a_full_disk_costs_the_status_but_not_the_service(service: Start, disk: Path) -> None:
    s = service(heartbeat={"interval": 0}, state_dir=str(disk)).start_blind()
    s.wait_version("a")
    until(lambda: '"serving"' in (disk / "status.json").read_text(), "the status is written")
    ballast = fill(disk)
    with busy(s):
        s.release("b")
        s.switch("b")
        s.restart_file.touch()
        s.wait_version("b")
    assert s.log().count("cannot write") == 1, "said once"
    ballast.unlink()
    release = str(s.root / "releases" / "b")
    until(lambda: release in (disk / "status.json").read_text(), "the status is true again")


def test_a_reload_asked_for_while_there_is_no_status_says_so(service: Start, disk: Path) -> None:
    s = service(heartbeat={"interval": 0}, state_dir=str(disk))
    (disk / "lock").touch()
    fill(disk)
    s.start_blind()
    s.wait_version("a")
    done = s.run("reload", "--wait")
    assert done.returncode == 1
    assert done.stderr.startswith("procmon: blog runs, but its status cannot be read: ")


def test_a_full_disk_does_not_keep_it_from_starting(service: Start, disk: Path) -> None:
    (disk / "lock").touch()
    fill(disk)
    s = service(heartbeat={"interval": 0}, state_dir=str(disk)).start_blind()
    s.wait_version("a")


def test_a_disk_that_becomes_read_only_costs_the_status_but_not_the_service(service: Start, disk: Path) -> None:
    s = service(heartbeat={"interval": 0}, state_dir=str(disk)).start_blind()
    s.wait_version("a")
    # Its own name: a file that is open for writing, as the lock is, keeps a file system from becoming read-only.
    mount("--bind", str(disk), str(disk))
    mount("-o", "remount,bind,ro", str(disk))
    try:
        s.release("b")
        s.switch("b")
        s.restart_file.touch()
        s.wait_version("b")
        until(lambda: "Read-only file system; procmon goes on" in s.log(), "it is said")
    finally:
        umount(str(disk))


def test_a_state_directory_that_cannot_be_made_is_an_error_before_anything_starts(service: Start) -> None:
    s = service()
    s.config.write_text(s.config.read_text().replace(str(s.root / "state"), "/proc/nothing/here"))
    done = s.run("run")
    assert done.returncode == 1
    assert "state_dir = '/proc/nothing/here' cannot be used: " in done.stderr


def test_output_without_a_reader_stops_nothing(service: Start) -> None:
    s = service(heartbeat={"interval": 0})
    argv = [sys.executable, "-m", "procmon", "run", str(s.config)]
    s.process = subprocess.Popen(argv, env=s.environment, stderr=subprocess.PIPE)
    assert s.process.stderr
    s.wait_state("serving")
    s.process.stderr.close()
    noisy = "import sys\nprint('x' * 100_000, file=sys.stderr)\n"
    app = s.release("b") / "site_app.py"
    app.write_text(app.read_text().replace("import sys\n", noisy, 1))
    s.switch("b")
    assert s.touch()["result"] == "ok"
    s.wait_version("b")
    os.kill(s.pids()[0], 9)
    until(lambda: len(s.pids()) == 2, "a lost worker is replaced")


OUTRUN = """
import os, select
read = os.read
def read_and_wait_for_more(fd, size):
    data = read(fd, size)
    select.select([fd], [], [], 1)
    return data
os.read = read_and_wait_for_more
from procmon.cli import main
raise SystemExit(main())
"""
"""A procmon that is never faster than the workers that write to it."""


def test_output_without_pause_does_not_hold_procmon_up(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0})
    s.command = [sys.executable, "-c", OUTRUN]
    app = s.current / "site_app.py"
    endless = "import sys\nimport subprocess\nsubprocess.Popen(['yes'], stdout=2)\n"
    app.write_text(app.read_text().replace("import sys\n", endless, 1))
    argv = [*s.command, "run", str(s.config)]
    s.process = subprocess.Popen(argv, env=s.environment, stderr=subprocess.DEVNULL)
    until(lambda: s.status().get("state") == "serving", "it serves")
    assert s.touch()["result"] == "ok"
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kibibytes", [64, 100, 1000])
def test_an_oversized_header_is_refused_and_does_not_affect_others(service: Start, kibibytes: int) -> None:
    s = service(workers=1, heartbeat={"interval": 0}, uvicorn={"http": "h11"}).start()
    worker = s.pids()
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as user, contextlib.suppress(ConnectionError):
        send_header(user, kibibytes)
        assert user.recv(100).startswith(b"HTTP/1.1 400 ")
        while user.recv(65536):
            pass
    assert s.version() == "a"
    assert s.pids() == worker


def test_an_oversized_header_does_not_affect_others_with_httptools_which_has_no_limit(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0}, uvicorn={"http": "httptools"}).start()
    worker = s.pids()
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as user:
        send_header(user, 1000)
        user.sendall(b"\r\n\r\n")
        assert user.recv(100).startswith(b"HTTP/1.1 200 ")
    assert s.version() == "a"
    assert s.pids() == worker


def send_header(user: socket.socket, kibibytes: int) -> None:
    """Send a header of a certain size, but not its end."""
    user.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nX: " + b"x" * kibibytes * 1024)
