"""The drain of a WebSocket under each implementation that uvicorn has for it."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from tests.support.procmon.fake_master import Client, Worker

Start = Callable[..., Worker]
IMPLEMENTATIONS = ["websockets", "websockets-sansio", "wsproto"]
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(params=IMPLEMENTATIONS)
def ws(request: pytest.FixtureRequest) -> str:
    """Return the name of an implementation."""
    return str(request.param)


def test_it_lives_through_the_grace_and_ends_with_1012_on_both_sides(
    start: Start, server: dict[str, str], ws: str, listener: socket.socket, tmp_path: Path
) -> None:
    worker = start(idle_grace=0.5, env={"WS_CODE": str(tmp_path / "code")}, ws=ws, **server).accepting()
    host, port = listener.getsockname()
    with connect_websocket(f"ws://{host}:{port}/") as websocket:
        websocket.send("before")
        assert websocket.recv() == "before"
        worker.drain()
        websocket.send("during")
        assert websocket.recv() == "during"
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert worker.drained() == 0
    assert (tmp_path / "code").read_text() == "1012"


def test_a_client_that_does_not_answer_the_close_does_not_keep_the_worker(
    start: Start, server: dict[str, str], ws: str, client: Callable[[], Client]
) -> None:
    worker = start(idle_grace=0.1, ws=ws, **server).accepting()
    connection = client()
    connection.send(UPGRADE)
    assert connection.response().status == 101
    worker.drain()
    assert worker.drained() == 0


def test_each_of_many_gets_1012(start: Start, ws: str, listener: socket.socket) -> None:
    worker = start(idle_grace=0.5, ws=ws).accepting()
    host, port = listener.getsockname()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect_websocket(f"ws://{host}:{port}/")) for _ in range(20)]
        worker.drain()
        for websocket in crowd:
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(timeout=30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
    assert worker.drained() == 0


def test_the_ends_of_many_are_spread_out(start: Start, client: Callable[[], Client]) -> None:
    """Otherwise their clients would all reconnect at the same moment."""
    worker = start(idle_grace=1.0).accepting()
    crowd = [client() for _ in range(20)]
    for one in crowd:
        one.send(UPGRADE)
        assert one.response().status == 101
    worker.drain()
    closed_at: dict[socket.socket, float] = {}
    while waiting := [one.sock for one in crowd if one.sock not in closed_at]:
        ready = select.select(waiting, [], [], 30)[0]
        assert ready
        closed_at |= dict.fromkeys(ready, time.monotonic())
    assert max(closed_at.values()) - min(closed_at.values()) > 0.2, "of a second"
    assert worker.drained() == 0
