"""The drain of each kind of connection: requests are answered, idle ones closed, the rest cut at the deadline."""

from __future__ import annotations

import json
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect as connect_websocket

from tests.support.procmon.fake_master import Client, Worker, head
from tests.support.waiting import until

Start = Callable[..., Worker]
Connect = Callable[..., Client]


@pytest.fixture
def barrier(tmp_path: Path) -> Path:
    """Return the name of a barrier: the app makes `.held` and waits for `.go`."""
    return tmp_path / "barrier"


def hold(client: Client, barrier: Path) -> None:
    """Send a request that the app holds, and wait until it does."""
    client.request(f"/hold?{barrier}")
    until(barrier.with_suffix(".held").exists, "the held request")


def settle(connect: Connect) -> None:
    """Make sure that the worker has accepted whatever was connected before: the queue is first come, first served."""
    connection = connect()
    assert connection.get().status == 200
    connection.close()


def test_close_of_an_idle_connection_is_announced_on_its_next_request(
    start: Start, server: dict[str, str], client: Connect
) -> None:
    worker = start(**server).accepting()
    connection = client()
    assert not connection.get().closes
    worker.drain()
    response = connection.get()
    assert (response.status, response.closes) == (200, True)
    assert connection.is_ended()
    assert worker.drained() == 0


def test_silent_idle_connection_is_closed_cleanly(start: Start, server: dict[str, str], client: Connect) -> None:
    worker = start(idle_grace=0.3, **server).accepting()
    silent = client()
    connection = client()
    assert not connection.get().closes
    worker.drain()
    assert connection.is_ended()
    assert silent.is_ended()
    assert worker.drained() == 0


def test_request_in_flight_is_answered_and_announces_the_close(
    start: Start, server: dict[str, str], client: Connect, barrier: Path
) -> None:
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    hold(connection, barrier)
    worker.drain()
    assert worker.report("draining")["in_flight"] == 1
    barrier.with_suffix(".go").touch()
    response = connection.response()
    assert (response.body, response.closes) == (b"held", True)
    assert connection.is_ended()
    assert worker.drained() == 0


def test_silent_connection_may_still_send(start: Start, server: dict[str, str], client: Connect) -> None:
    """Browsers connect before they know what to ask."""
    worker = start(**server).accepting()
    silent = client()
    settle(client)
    worker.drain()
    response = silent.get()
    assert (response.status, response.closes) == (200, True)
    assert worker.drained() == 0


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
def test_partial_header_outlives_the_grace(start: Start, server: dict[str, str], client: Connect, reused: bool) -> None:
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    if reused:
        assert connection.get().status == 200
    connection.send(head()[:20])
    settle(client)
    worker.drain()
    for _ in range(2):  # two seconds, many times the grace
        assert worker.report("draining")["connections"] == 1
    connection.send(head()[20:])
    response = connection.response()
    assert (response.status, response.closes) == (200, True)
    assert worker.drained() == 0


def test_slow_body_is_waited_for(start: Start, server: dict[str, str], client: Connect) -> None:
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    connection.send(head("/body", "POST", 20) + b"x" * 10)
    settle(client)
    worker.drain()
    assert worker.report("draining")["in_flight"] == 1
    connection.send(b"x" * 10)
    response = connection.response()
    assert (response.body, response.closes) == (b"20", True)
    assert worker.drained() == 0


def test_slow_body_is_cut_at_the_deadline(start: Start, server: dict[str, str], client: Connect) -> None:
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    connection.send(head("/body", "POST", 20) + b"x" * 10)
    settle(client)
    worker.drain(seconds=0.3)
    assert worker.drained() == 1
    assert "aborting 1 requests: POST /body" in worker.complaints()
    assert (connection.response().status, connection.is_ended()) == (500, True)


def test_slow_reader_gets_the_whole_response(start: Start, server: dict[str, str], client: Connect) -> None:
    """The app has ended long before its response has: to close then would cut it."""
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    connection.request("/large")
    until(connection.has_news, "the response's begin")
    worker.drain()
    for _ in range(2):
        assert worker.report("draining")["connections"] == 1
    assert len(connection.response().body) == 16 * 1024 * 1024
    assert worker.drained() == 0


def test_pipelined_requests_are_all_answered(
    start: Start, server: dict[str, str], client: Connect, barrier: Path
) -> None:
    """Only the last may announce the close: what follows an announcement stays unanswered."""
    worker = start(**server).accepting()
    connection = client()
    hold(connection, barrier)
    connection.request("/")
    settle(client)
    worker.drain()
    barrier.with_suffix(".go").touch()
    first, second = connection.response(), connection.response()
    assert (first.body, first.closes) == (b"held", False)
    assert (second.body, second.closes) == (str(worker.process.pid).encode(), True)
    assert worker.drained() == 0


@pytest.mark.parametrize(("path", "whole"), [("/events", True), ("/download", False)])
def test_stream_is_cut_at_the_deadline(
    start: Start, server: dict[str, str], client: Connect, path: str, whole: bool
) -> None:
    """A stream of events ends as a whole response: its client comes back. Half a file must not look whole."""
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    connection.request(path)
    until(connection.has_news, "the first piece")
    worker.drain(seconds=0.5)
    assert worker.drained() == 1
    assert f"aborting 1 requests: GET {path}" in worker.complaints()
    assert ("Exception in ASGI application" in worker.complaints()) is not whole
    read = b"".join(iter(lambda: connection.sock.recv(65536), b""))
    assert b"transfer-encoding: chunked" in read.lower()
    assert read.endswith(b"\r\n0\r\n\r\n") is whole


def test_what_the_deadline_cuts_is_counted(
    start: Start, server: dict[str, str], client: Connect, barrier: Path
) -> None:
    """A held request and a half-received one; the idle connection is none."""
    worker = start(**server).accepting()
    held, half, idle = client(), client(), client()
    hold(held, barrier)
    half.send(head()[:20])
    assert idle.get().status == 200
    worker.drain(seconds=0.3)
    assert worker.drained() == 2
    assert idle.is_ended()
    assert held.response().status == 500


def test_unread_response_is_cut_and_counted(start: Start, server: dict[str, str], client: Connect) -> None:
    """Its app has ended long before."""
    worker = start(idle_grace=0.1, **server).accepting()
    connection = client()
    connection.request("/large")
    until(connection.has_news, "the response's begin")
    worker.drain(seconds=0.3)
    assert worker.drained() == 1
    assert "aborting 1 requests: GET /large" in worker.complaints()


def test_request_that_cannot_be_cancelled_does_not_keep_the_worker(
    start: Start, server: dict[str, str], client: Connect, barrier: Path, tmp_path: Path
) -> None:
    worker = start(env={"STOPPED": str(tmp_path / "stopped")}, **server).accepting()
    connection = client()
    connection.request(f"/stubborn?{barrier}")
    until(barrier.with_suffix(".held").exists, "the stubborn request")
    worker.drain(seconds=0.1)
    assert worker.drained() == 1
    assert (tmp_path / "stopped").exists()


def test_lifespan_shuts_down_after_the_last_request(
    start: Start, client: Connect, barrier: Path, tmp_path: Path
) -> None:
    worker = start(env={"STOPPED": str(tmp_path / "stopped")}).accepting()
    connection = client()
    hold(connection, barrier)
    worker.drain()
    worker.report("draining")
    assert not (tmp_path / "stopped").exists()
    barrier.with_suffix(".go").touch()
    assert connection.response().status == 200
    assert worker.drained() == 0
    assert (tmp_path / "stopped").exists()


def test_websocket_may_open_during_the_grace(start: Start, server: dict[str, str], client: Connect) -> None:
    """On a connection that was open before; the handshake's own headers must stay whole."""
    worker = start(idle_grace=1.0, **server).accepting()
    silent = client()
    settle(client)
    worker.drain()
    with connect_websocket("ws://test/", sock=silent.sock) as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"
    assert worker.drained() == 0


def test_probe_is_drained_like_any_connection(start: Start, server: dict[str, str]) -> None:
    worker = start(idle_grace=0.1, **server).started()
    with worker.probe() as sock:
        connection = Client(sock)
        assert connection.get().status == 200
        worker.drain()
        assert connection.is_ended()
    assert worker.drained() == 0


def test_drain_before_the_first_connection_ends_at_once(start: Start) -> None:
    worker = start().started()
    worker.drain()
    assert worker.drained() == 0


def test_second_drain_command_brings_the_end_forward(start: Start, client: Connect, barrier: Path) -> None:
    worker = start().accepting()
    connection = client()
    hold(connection, barrier)
    worker.drain(seconds=3600)
    worker.command("drain", seconds=0.1)
    assert worker.drained() == 1
    assert connection.response().status == 500


def test_end_of_the_master_drains(start: Start, server: dict[str, str], client: Connect, barrier: Path) -> None:
    """The request in flight is answered, and the port is freed without any help."""
    worker = start(**server).accepting()
    connection = client()
    hold(connection, barrier)
    worker.channel.close()
    barrier.with_suffix(".go").touch()
    assert connection.response().body == b"held"
    assert worker.exit_code() == -signal.SIGKILL, "it ends its group, itself included"


def test_end_of_the_master_during_a_drain_shortens_it(start: Start, client: Connect, barrier: Path) -> None:
    worker = start().accepting()
    connection = client()
    hold(connection, barrier)
    worker.drain(seconds=3600)
    worker.channel.close()
    assert connection.response().status == 500
    assert worker.exit_code() == -signal.SIGKILL


def test_last_acceptor_serves_what_waits_in_the_queue(
    start: Start, server: dict[str, str], client: Connect, listener: socket.socket
) -> None:
    """The worker is stopped, so that it finds the connections and the command at the same time."""
    worker = start(**server).accepting()
    settle(client)
    worker.process.send_signal(signal.SIGSTOP)
    waiting = [client() for _ in range(20)]
    for connection in waiting:
        connection.request()
    reset(waiting.pop(7).sock)
    worker.command("drain", seconds=20, last=True)
    listener.close()
    worker.process.send_signal(signal.SIGCONT)
    for connection in waiting:
        assert connection.response().status == 200
    assert worker.drained() == 0


def reset(sock: socket.socket) -> None:
    """Break a connection off."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_worker_that_is_not_last_leaves_the_queue_alone(
    start: Start, server: dict[str, str], client: Connect, listener: socket.socket
) -> None:
    worker = start(**server).accepting()
    worker.drain()
    waiting = client()
    taken, _ = listener.accept()
    assert taken.getpeername() == waiting.sock.getsockname()
    taken.close()
    assert worker.drained() == 0


def test_messages_of_a_drain_are_json_with_their_counts(start: Start, client: Connect, barrier: Path) -> None:
    worker = start().accepting()
    connection = client()
    hold(connection, barrier)
    worker.command("drain", seconds=20)
    report = worker.report("draining")
    assert json.loads(json.dumps(report)) == {"type": "draining", "requests": 0, "in_flight": 1, "connections": 1}
    barrier.with_suffix(".go").touch()
    assert connection.response().status == 200
    assert worker.drained() == 0
