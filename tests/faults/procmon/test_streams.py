"""Connections that do not end by themselves: none is cut before its time, and none holds up the next reload."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from tests.support.procmon.service import APP, Service, Start
from tests.support.waiting import until

BEHAVIOURS = APP.with_name("behaviours.py")


@contextlib.contextmanager
def opened(s: Service) -> Iterator[tuple[ClientConnection, http.client.HTTPConnection]]:
    """Open a WebSocket and a stream of events, and see that both are alive."""
    with connect_websocket(f"ws://127.0.0.1:{s.port}/") as websocket, contextlib.closing(s.open("/events")) as stream:
        websocket.send("before")
        assert websocket.recv() == "before"
        assert stream.getresponse().read(12) == b"data: tick\n\n"
        yield websocket, stream


def close_code(websocket: ClientConnection) -> int:
    """Wait for the close frame; return its code."""
    with pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=60)
    assert closed.value.rcvd is not None, "closed without a word: the client sees 1006"
    return int(closed.value.rcvd.code)


def prepare(s: Service, version: str) -> None:
    """Make a release of the app that holds on to its clients."""
    s.release(version, code=BEHAVIOURS.read_text())
    s.switch(version)


def test_websockets_and_streams_live_until_their_time_and_hold_up_no_reload(service: Start) -> None:
    s = service(workers=1, reload={"drain_timeout": 6, "idle_grace": 2}, heartbeat={"interval": 0})
    prepare(s, "v0")
    s.start()
    with opened(s) as first:
        prepare(s, "v1")
        assert s.touch()["result"] == "ok"
        until(lambda: len(s.pids("draining")) == 1, "the first drains")
        first[0].send("during")
        assert first[0].recv() == "during", "the grace holds"
        until(lambda: s.get()[0] == str(s.pids()[0]), "only the new one accepts")
        with opened(s) as second:
            prepare(s, "v2")
            assert s.touch()["result"] == "ok", "while the first still drains"
            assert len(s.pids("draining")) == 2
            assert [close_code(websocket) for websocket, _ in (first, second)] == [1012, 1012]
            until(lambda: len(s.status()["workers"]) == 1, "both have ended")
    assert s.log().count("aborting 1 requests: GET /events") == 2
    assert "had to abort 1 requests" in s.log()


def test_a_stop_closes_websockets_with_1012_as_well(service: Start) -> None:
    s = service(workers=1, reload={"drain_timeout": 3, "idle_grace": 0.2})
    prepare(s, "v0")
    s.start()
    with opened(s) as (websocket, _):
        s.signal(15)
        assert close_code(websocket) == 1012
        assert s.wait_exit() == 0
