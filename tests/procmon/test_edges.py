"""The small parts at the edge: listening, locking, the output, systemd's socket, the status file."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import procmon
import pytest
from procmon.config import Bind
from procmon.core.events import Failed, ProbeResult, Ticked
from procmon.master import lock
from procmon.master.listener import ListenError, close_listener, listen, open_listener
from procmon.master.output import TAIL_BYTES, Output, Tail
from procmon.master.probe import Request, ask, dial
from procmon.master.processes import describe_exit
from procmon.master.status_file import StatusFile, headline, read, snapshot
from procmon.master.systemd import Notifier, state_message
from procmon.master.workers import to_event
from procmon.reactor import Reactor

from tests.ports import free_port

from .story import ILL, Story

# -- listening --------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_said_with_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f'bind = "127.0.0.1:{port}": another program has it'):
            open_listener(Bind("127.0.0.1", port), {})


def test_accepted_connections_do_not_wait_for_more_to_send() -> None:
    """asyncio looks at the protocol number, and Linux hands TCP_NODELAY down from the listener."""
    with open_listener(Bind("127.0.0.1", free_port()), {}) as listener:
        listen(listener)
        assert listener.proto == socket.IPPROTO_TCP
        with socket.create_connection(listener.getsockname()):
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_nobody_gets_through_before_listen() -> None:
    with open_listener(Bind("127.0.0.1", free_port()), {}) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname())


def test_a_stale_unix_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    bind = Bind(path=str(tmp_path / "sock"))
    with open_listener(bind, {}) as first:
        listen(first)
        with pytest.raises(ListenError, match="another program has it"):
            open_listener(bind, {})
    second = open_listener(bind, {})
    close_listener(second, bind)
    assert not Path(bind.path).exists()


def test_a_file_in_the_way_of_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sock").write_text("precious")
    with pytest.raises(ListenError):
        open_listener(Bind(path=str(tmp_path / "sock")), {})
    assert (tmp_path / "sock").read_text() == "precious"


# -- the lock ---------------------------------------------------------------------------------------------------------


def test_the_second_procmon_of_a_state_directory_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    state = tmp_path / "a" / "b"
    assert not lock.running(state)
    fd = lock.take(state)
    assert lock.running(state)
    with pytest.raises(lock.LockError, match=f"runs as pid {os.getpid()}"):
        lock.take(state)
    os.close(fd)
    assert not lock.running(state)


# -- output -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_reader_that_does_not_read_never_blocks_and_learns_what_it_missed(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = Output(writer)
    output.write(b"x" * 1_000_000)
    assert output.dropped > 0
    taken = os.read(reader, 2_000_000)
    assert len(taken) + output.dropped == 1_000_000
    output.write(b"again\n")
    said = os.read(reader, 4096).decode()
    assert "bytes of output were dropped" in said
    assert said.endswith("again\n")


def test_a_reader_that_is_gone_is_survived() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer)
    output.write(b"lost")
    assert output.dropped == 4
    os.close(writer)


def test_the_tail_keeps_whole_lines_of_the_end() -> None:
    tail = Tail()
    for number in range(5000):
        tail.add(b"line %d\n" % number)
    lines = tail.text().splitlines()
    assert lines[-1] == "line 4999"
    assert lines[0].startswith("line ")
    assert len(tail.text()) <= TAIL_BYTES


# -- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", "booting", []),
        ("booting", "serving", ["READY=1"]),
        ("", "waiting", ["READY=1"]),
        ("booting", "failed", ["READY=1"]),
        ("serving", "reloading", ["RELOADING=1", "MONOTONIC_USEC=5"]),
        ("reloading", "serving", ["READY=1"]),
        ("serving", "serving", []),
        ("serving", "stopping", ["STOPPING=1"]),
    ],
)
def test_what_systemd_is_told(before: str, after: str, lines: list[str]) -> None:
    assert state_message(before, after, 5, "fine").splitlines() == ["STATUS=fine", *lines]


def test_the_message_arrives(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"})
        notifier.send("READY=1")
        assert systemd.recv(100) == b"READY=1"
        notifier.send("STATUS=generation 1, caf\udce9")
        assert systemd.recv(100) == rb"STATUS=generation 1, caf\udce9"
        assert notifier.watchdog_seconds == 2
    notifier.send("READY=1")
    assert notifier.lost == 1


# -- the status file --------------------------------------------------------------------------------------------------


def test_the_status_has_what_the_deploy_side_reads(tmp_path: Path) -> None:
    s = Story().served()
    found = snapshot(s.core, {1: 5.0})
    assert (found["state"], found["release"], found["commit"]) == ("serving", "/releases/a", "a" * 40)
    assert found["restart"] == {"stamp": 1, "result": "ok", "error": "", "seconds": 0.0}
    assert [worker["state"] for worker in found["workers"]] == ["active", "active"]
    assert found["workers"][0]["started"] == 5.0
    file = StatusFile(tmp_path)
    file.write(found)
    assert read(tmp_path) == found
    assert stat.S_IMODE((tmp_path / "status.json").stat().st_mode) & 0o400


def test_a_status_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = StatusFile(tmp_path / "gone")
    file.write({"a": 1})
    file.write({"a": 2})
    assert len(caplog.records) == 1
    (tmp_path / "gone").mkdir()
    file.write({"a": 2})
    assert read(tmp_path / "gone") == {"a": 2}


def test_the_headline_is_loud_about_trouble() -> None:
    s = Story(heartbeat={"guard": 100}).served().after(10)
    s.beat_answered(ILL)
    assert "heartbeat has failed 1 times (500)" in headline(s.core)
    s.deploy("/releases/b").failed(s.workers(generation=2)[0])
    assert "the last reload failed" in headline(s.core)


# -- probes -----------------------------------------------------------------------------------------------------------


def serve_once(server: socket.socket, answer: bytes) -> None:
    """ProbeResult one connection and close it."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def answer_of(connect: Callable[[], socket.socket], seconds: float = 5.0) -> ProbeResult:
    """Ask, and return the answer."""
    reactor = Reactor()
    found: list[ProbeResult] = []

    async def work() -> None:
        found.append(await ask(reactor, connect, Request("/", "localhost"), seconds))
        reactor.stop()

    reactor.start(work())
    reactor.run()
    reactor.close()
    return found[0]


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, ""),
        (b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 302, ""),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, ""),
        (b"SSH-2.0-OpenSSH\r\n", None, "the connection was closed without an HTTP answer"),
        (b"", None, "the connection was closed without an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None, "the connection was closed without an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", None, "RemoteProtocolError"),
    ],
)
def test_what_a_probe_makes_of_an_answer(answer: bytes, status: int | None, error: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve_once, args=(server, answer))
        thread.start()
        found = answer_of(lambda: dial(server))
        thread.join()
    assert found.status == status
    assert error in found.error


def test_nobody_there_is_an_answer_as_well() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        found = answer_of(lambda: dial(deaf))
    assert found.status is None
    assert "ConnectionRefusedError" in found.error


def test_the_timeout_is_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then would satisfy a timeout for each read. Proxies of the environment are not asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def drip() -> None:
        with suppress(BrokenPipeError):
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10000:
                theirs.send(bytes([byte]))
                time.sleep(0.05)  # this is how the other end is

    thread = Thread(target=drip)
    thread.start()
    found = answer_of(lambda: ours, 0.3)
    thread.join()
    theirs.close()
    assert found == ProbeResult(None, found.milliseconds, "no answer within 0.3 s")


@pytest.mark.parametrize("every", ["0.0.0.0", "::"])  # noqa: S104 - that is the case
def test_who_listens_on_every_address_is_dialled_on_one(every: str) -> None:
    with socket.create_server((every, 0), family=socket.AF_INET6 if ":" in every else socket.AF_INET) as server:
        thread = Thread(target=serve_once, args=(server, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        thread.start()
        assert answer_of(lambda: dial(server)).status == 200
        thread.join()


# -- what workers say -------------------------------------------------------------------------------------------------


def test_a_tick_is_read_with_the_memory() -> None:
    said = b'{"type": "tick", "requests": 3, "in_flight": 1, "connections": 2}'
    assert to_event(7, said, lambda: 99) == Ticked(7, 3, 1, 2, 99)


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"type": "hello"}', b'{"type": "tick"}', b"\xff"])
def test_nonsense_is_a_failure_of_that_worker(said: bytes) -> None:
    assert isinstance(to_event(7, said, int), Failed)


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL"), (-63, "signal 63")]
)
def test_ends_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


# -- memory -----------------------------------------------------------------------------------------------------------


def test_each_master_does_without_what_only_others_need() -> None:
    code = "import procmon.cli, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(procmon.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"asyncio", "ssl", "random", "difflib", "concurrent"} & set(done.stdout.split())
