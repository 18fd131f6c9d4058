"""One HTTP request of the master: the private probe and the heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from procmon.config import Bind, HeartbeatConfig
from procmon.core.events import ProbeResult
from procmon.master import probe as module
from procmon.master.probe import ask, connect, host_header, local_address, probe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class App:
    """A server whose connections get one answer each, the last one again and again; it keeps the requests."""

    def __init__(self, answers: Sequence[bytes | Handler]) -> None:
        self.requests: list[bytes] = []
        self.asked_at: list[float] = []
        self.tasks: set[asyncio.Task[None] | None] = set()
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        self.asked_at.append(time.monotonic())
        self.tasks.add(asyncio.current_task())
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(reader, writer)
            await writer.drain()


@contextlib.asynccontextmanager
async def serving(*answers: bytes | Handler) -> AsyncIterator[tuple[App, socket.socket]]:
    """Serve on a port."""
    app = App(answers)
    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(app.serve, sock=listener)
    try:
        yield app, listener
    finally:
        server.close()
        for task in app.tasks:
            if task is not None:
                task.cancel()
        await asyncio.sleep(0.01)


def asked(*answers: bytes | Handler, seconds: float = 5.0, path: str = "/") -> tuple[ProbeResult, App]:
    """Ask an app once."""

    async def run() -> tuple[ProbeResult, App]:
        async with serving(*answers) as (app, listener):
            heartbeat = HeartbeatConfig(path=path)
            return await ask(lambda: connect(listener), heartbeat, "localhost:8000", seconds), app

    return asyncio.run(run())


def probed(
    *answers: bytes | Handler, seconds: float = 5.0, accept: tuple[int, ...] = (200, 302)
) -> tuple[ProbeResult, App]:
    """Probe an app."""

    async def run() -> tuple[ProbeResult, App]:
        async with serving(*answers) as (app, listener):
            heartbeat = HeartbeatConfig(accept=accept)
            return await probe(lambda: connect(listener), heartbeat, "localhost", seconds), app

    return asyncio.run(run())


# -- one answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, ""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it is closed", 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno", 200, ""),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff=;;=\r\nContent-Length: 0\r\n\r\n", 200, ""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, 200, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, ""),
        (NOT_READY, 503, ""),
        (b"SSH-2.0-OpenSSH\r\n", None, "RemoteProtocolError"),
        (b"\0" * 200_000, None, "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, None, "RemoteProtocolError"),
        (b"", None, "Server disconnected without sending a response"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None, "Server disconnected without sending a response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", None, "peer closed connection without sending complete"),
    ],
)
def test_what_a_response_means(answer: bytes, status: int | None, error: str) -> None:
    found, app = asked(answer)
    assert found.status == status
    assert error in found.error
    assert (found.error == "") == (error == "")
    assert len(app.requests) == 1


@pytest.mark.parametrize(
    "location", [b"http://127.0.0.1:1/", b"/login", b"mailto:x", b"http://a:x/", b"/" + b"x" * 70_000, b"\xff", b""]
)
def test_no_redirect_is_followed_wherever_it_leads(location: bytes) -> None:
    found, app = asked(b"HTTP/1.0 302 Found\r\nLocation: " + location + b"\r\n\r\n")
    assert (found.status, found.error) == (302, "")
    assert found.location == location.decode("latin-1")
    assert len(app.requests) == 1


def test_a_connection_that_is_reset_at_once() -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    found, _app = asked(reset)
    assert found.status is None
    assert "Connection reset by peer" in found.error


def test_a_port_on_which_no_server_listens() -> None:
    async def run() -> ProbeResult:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            return await ask(lambda: connect(deaf), HeartbeatConfig(), "localhost", 5)

    found = asyncio.run(run())
    assert found.status is None
    assert "ConnectionRefusedError" in found.error


def test_without_a_descriptor_left_there_is_a_result_as_well() -> None:
    async def exhausted() -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    found = asyncio.run(ask(exhausted, HeartbeatConfig(), "localhost", 5))
    assert found.status is None
    assert "Too many open files" in found.error


# -- the request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/health#part?x=1&y=%20", "/a?b#c", "//a//b/../c", '/[]{}|\\^`"<>', "/%zz?", "/;a=*"]
)
def test_the_path_arrives_as_it_is_written(path: str) -> None:
    found, app = asked(OK, path=path)
    assert found.status == 200
    assert app.requests[0].partition(b"\r\n")[0] == f"GET {path} HTTP/1.1".encode()


def test_the_headers_of_a_request() -> None:
    _found, app = asked(OK)
    assert app.requests[0].decode().split("\r\n")[1:-2] == [
        "Host: localhost:8000",
        "User-Agent: procmon",
        "Accept: */*",
        "Connection: close",
    ]


def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked(OK)[0].status == 200


@pytest.mark.parametrize(
    ("heartbeat", "bind", "host"),
    [
        (HeartbeatConfig(), Bind("0.0.0.0", 8000), "localhost:8000"),  # noqa: S104 - that is the case
        (HeartbeatConfig(), Bind(path="/run/blog.sock"), "localhost"),
        (HeartbeatConfig(host_header="blog.example"), Bind("127.0.0.1", 8000), "blog.example"),
    ],
)
def test_the_host_header(heartbeat: HeartbeatConfig, bind: Bind, host: str) -> None:
    assert host_header(heartbeat, bind) == host


# -- the time limit ---------------------------------------------------------------------------------------------------


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send byte by byte: each comes in time."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def stream(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer, and let the body never end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"data: x\n\n" * 1000)
        await writer.drain()


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Wait for the client to give up."""
    await reader.read()


@pytest.mark.parametrize("handler", [drip, stream, say_nothing])
def test_the_time_limit_is_for_all_of_it(handler: Handler) -> None:
    found, _app = asked(handler, seconds=0.3)
    assert found == ProbeResult(None, found.milliseconds, "no answer within 0.3 s")
    assert found.milliseconds >= 300


def test_the_connection_is_closed_whatever_comes_of_it() -> None:
    async def run() -> None:
        for handler in (OK, b"", say_nothing, stream):
            async with serving(handler) as (_app, listener):
                sock = await connect(listener)

                async def given(sock: socket.socket = sock) -> socket.socket:
                    return sock

                await ask(given, HeartbeatConfig(), "localhost", 0.2)
                assert sock.fileno() == -1

    asyncio.run(run())


def test_it_is_asked_again_when_this_process_itself_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        time.sleep(0.5)
        await say_nothing(reader, writer)

    found, app = asked(stall, OK, seconds=0.2)
    assert found.status == 200
    assert len(app.requests) == 2


def test_a_slow_app_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 60)
    found, app = asked(say_nothing, OK, seconds=0.1)
    assert found.status is None
    assert len(app.requests) == 1


# -- asking again until the app is ready ------------------------------------------------------------------------------


def test_an_app_that_is_not_ready_yet_is_asked_again_until_it_is() -> None:
    found, app = probed(NOT_READY, NOT_READY, OK)
    assert found.status == 200
    assert len(app.requests) == 3
    assert app.asked_at[2] - app.asked_at[0] >= 2 * module.NOT_READY_SECONDS


def test_an_app_that_is_never_ready_is_asked_until_the_time_is_over() -> None:
    began = time.monotonic()
    found, app = probed(NOT_READY, seconds=2.0)
    assert found.status == 503
    assert time.monotonic() - began >= 1.5
    assert 2 <= len(app.requests) <= 8


def test_503_is_not_asked_again_where_it_is_accepted() -> None:
    found, app = probed(NOT_READY, OK, accept=(200, 503))
    assert found.status == 503
    assert len(app.requests) == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"", b"SSH-2.0\r\n"])
def test_only_503_is_asked_again(answer: bytes) -> None:
    found, app = probed(answer, OK)
    assert found.status != 200
    assert len(app.requests) == 1


def test_an_app_that_stops_answering_after_503_takes_no_longer_than_the_whole_time() -> None:
    found, _app = probed(NOT_READY, say_nothing, seconds=1.5)
    limit = re.fullmatch(r"no answer within ([0-9.]+) s", found.error)
    assert limit
    assert float(limit[1]) <= 1.5 - module.NOT_READY_SECONDS, "what the first question has left"


@pytest.mark.parametrize("when", ["while it is asked", "between two questions"])
def test_time_in_which_this_process_stood_still_does_not_count(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Such as a virtual machine that was paused."""
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)

    async def stall(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if when == "while it is asked":
            time.sleep(1.5)
        else:
            asyncio.get_running_loop().call_later(0.1, time.sleep, 1.5)
        writer.write(NOT_READY)

    found, app = probed(stall, OK, seconds=1.0)
    assert found.status == 200
    assert len(app.requests) == 2


# -- where to connect -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", ["0.0.0.0", "::"])  # noqa: S104 - that is the case
def test_a_socket_on_every_address_is_connected_to_on_one(every: str) -> None:
    async def run() -> ProbeResult:
        app = App([OK])
        listener = socket.create_server((every, 0), family=socket.AF_INET6 if ":" in every else socket.AF_INET)
        server = await asyncio.start_server(app.serve, sock=listener)
        try:
            assert local_address(listener)[0] in ("127.0.0.1", "::1")
            return await ask(lambda: connect(listener), HeartbeatConfig(), "localhost", 5)
        finally:
            server.close()

    assert asyncio.run(run()).status == 200


def test_a_unix_socket(tmp_path: Path) -> None:
    async def run() -> ProbeResult:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "sock"))
            server = await asyncio.start_unix_server(App([OK]).serve, sock=listener)
            found = await ask(lambda: connect(listener), HeartbeatConfig(), "localhost", 5)
            server.close()
            return found

    assert asyncio.run(run()).status == 200


def test_a_unix_socket_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    """Linux reports it at once, with the error that for TCP means that the connection is on its way."""

    async def run() -> None:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
            listener.bind(str(tmp_path / "sock"))
            listener.listen(0)
            other.connect(str(tmp_path / "sock"))
            late = await ask(lambda: connect(listener), HeartbeatConfig(), "localhost", 0.3)
            assert late.error == "no answer within 0.3 s"
            asking = asyncio.create_task(ask(lambda: connect(listener), HeartbeatConfig(), "localhost", 20))
            await asyncio.sleep(0)
            server = await asyncio.start_unix_server(App([OK]).serve, sock=listener)
            assert (await asking).status == 200
            server.close()

    asyncio.run(run())


def test_a_unix_socket_without_a_server(tmp_path: Path) -> None:
    async def run() -> ProbeResult:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "sock"))
            return await ask(lambda: connect(listener), HeartbeatConfig(), "localhost", 5)

    assert "ConnectionRefusedError" in asyncio.run(run()).error
