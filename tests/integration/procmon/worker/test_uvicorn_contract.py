"""Each of uvicorn's inner names that the worker relies on: a new uvicorn that changes one fails here, with its name."""

from __future__ import annotations

import asyncio
import inspect
import signal
from typing import Any

import pytest
import uvicorn
from procmon.worker.connections import CLOSE_HEADER, Inspector, Phase, override_addresses, partial_header_of
from procmon.worker.errors import WorkerError
from uvicorn.protocols.http.flow_control import CLOSE_HEADER as UVICORN_CLOSE_HEADER
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from tests.support.procmon.apps.behaviours import app


class Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing reads here."""

    def resume_reading(self) -> None:
        """Nothing reads here."""


class Pair:
    """One of uvicorn's HTTP connections, fed by hand."""

    def __init__(self, http: str) -> None:
        self.config = uvicorn.Config(app, http=http, log_config=None, access_log=False)
        self.config.load()
        self.state = ServerState()
        self.connection: Any = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.state, app_state={}
        )
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        self.inspector = Inspector(self.config.http_protocol_class)

    def feed(self, data: bytes) -> Phase:
        """Feed bytes and return the phase."""
        self.connection.data_received(data)
        return self.inspector.phase(self.connection)

    async def answered(self) -> bytes:
        """Wait for the requests' tasks and return what was written."""
        await asyncio.gather(*self.state.tasks)
        written, self.transport.written = self.transport.written, b""
        return written.lower()


REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
BOTH = pytest.mark.parametrize("http", ["h11", "httptools"])


@BOTH
def test_phases_of_two_requests(http: str) -> None:
    async def story() -> None:
        pair = Pair(http)
        assert pair.state.connections == {pair.connection}
        assert pair.inspector.phase(pair.connection) is Phase.IDLE
        for _ in range(2):
            assert pair.feed(REQUEST[:9]) is Phase.RECEIVING
            assert pair.feed(REQUEST[9:]) is Phase.RESPONDING
            assert len(pair.state.tasks) == 1
            assert b"200 ok" in await pair.answered()
            assert pair.inspector.phase(pair.connection) is Phase.IDLE
        assert pair.state.total_requests == 2

    asyncio.run(story())


@BOTH
def test_one_byte_of_a_request_is_seen(http: str) -> None:
    async def story() -> None:
        assert Pair(http).feed(b"G") is Phase.RECEIVING

    asyncio.run(story())


@BOTH
def test_default_headers_announce_the_close_and_cause_it(http: str) -> None:
    """The basis of the drain: one list changes every later response of every connection."""

    async def story() -> None:
        pair = Pair(http)
        pair.feed(REQUEST)
        assert b"connection: close" not in await pair.answered()
        pair.state.default_headers = [CLOSE_HEADER]
        pair.feed(REQUEST)
        assert b"connection: close" in await pair.answered()
        assert pair.inspector.phase(pair.connection) is Phase.CLOSING

    asyncio.run(story())


@BOTH
def test_announcement_reaches_a_request_whose_response_has_not_begun(http: str) -> None:
    async def story() -> None:
        pair = Pair(http)
        pair.feed(REQUEST)
        pair.inspector.announce_close(pair.connection)
        assert b"connection: close" in await pair.answered()
        assert pair.transport.closed

    asyncio.run(story())


@BOTH
def test_announcement_is_for_the_last_of_a_pipeline(http: str) -> None:
    async def story() -> None:
        pair = Pair(http)
        pair.feed(REQUEST + REQUEST)
        pair.inspector.announce_close(pair.connection)
        pair.state.default_headers = [CLOSE_HEADER]
        while pair.state.tasks:
            await asyncio.gather(*pair.state.tasks)
        answers = pair.transport.written.lower().split(b"http/1.1 ")[1:]
        assert [b"connection: close" in answer for answer in answers] == [False, True]

    asyncio.run(story())


@BOTH
def test_response_that_is_still_being_written_is_no_idle_connection(http: str) -> None:
    async def story() -> None:
        pair = Pair(http)
        pair.feed(REQUEST)
        await pair.answered()
        pair.transport.get_write_buffer_size = lambda: 1  # type: ignore[method-assign]
        assert pair.inspector.phase(pair.connection) is Phase.RESPONDING

    asyncio.run(story())


@BOTH
def test_subclasses_of_the_protocols_are_drained_alike(http: str) -> None:
    config = uvicorn.Config(app, http=http, log_config=None)
    config.load()
    protocol = config.http_protocol_class
    assert partial_header_of(type("Custom", (protocol,), {})) is partial_header_of(protocol)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(WorkerError, match="use auto, h11 or httptools"):
        partial_header_of(asyncio.Protocol)


def test_tick_makes_the_headers_of_date_and_configuration() -> None:
    """The drain adds its header to the configuration's, so that the date goes on."""

    async def story() -> None:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        server.config.load()
        server.config.encoded_headers = [*server.config.encoded_headers, CLOSE_HEADER]
        assert await server.on_tick(0) is False
        assert [name for name, _ in server.server_state.default_headers] == [b"date", b"server", b"connection"]

    asyncio.run(story())


def test_close_header_is_uvicorns() -> None:
    """h11's own check for a close that is announced already compares with it."""
    assert CLOSE_HEADER == UVICORN_CLOSE_HEADER


def test_websockets_have_what_their_close_needs() -> None:
    async def story() -> None:
        config = uvicorn.Config(app, log_config=None)
        config.load()
        assert config.ws_protocol_class is WebSocketsSansIOProtocol
        websocket = WebSocketsSansIOProtocol(config, ServerState(), {})
        assert (websocket.close_sent, websocket.handshake_complete, websocket.disconnected) == (False, False, False)
        assert websocket.close_timeout > 0
        assert not hasattr(websocket, "cycle")
        assert inspect.iscoroutinefunction(websocket.send)

    asyncio.run(story())


def test_config_loads_an_app_object_and_makes_a_loop() -> None:
    config = uvicorn.Config("a.module:app", log_config=None, proxy_headers=False)
    config.app = app
    config.load()
    assert config.loaded_app is app
    assert (config.asgi_version, config.lifespan, config.backlog) == ("3.0", "auto", 2048)
    factory = config.get_loop_factory()
    assert factory is not None
    factory().close()


@BOTH
def test_protocols_read_their_addresses_once_when_the_connection_is_made(http: str) -> None:
    async def story() -> None:
        seen: list[Any] = []

        async def observe(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
            seen.append((scope["client"], scope["server"]))
            await app(scope, receive, send)

        config = uvicorn.Config(observe, http=http, log_config=None, access_log=False)
        config.load()
        state = ServerState()
        connection: Any = config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=state, app_state={}
        )
        override_addresses(connection, {"client": ["127.0.0.1", 4242], "server": ["127.0.0.1", 8000]})
        connection.connection_made(Transport())
        connection.data_received(REQUEST)
        await asyncio.gather(*state.tasks)
        assert seen == [(("127.0.0.1", 4242), ("127.0.0.1", 8000))]

    asyncio.run(story())


def test_factories_are_called_by_load() -> None:
    config = uvicorn.Config("a.module:app", log_config=None, proxy_headers=False)
    config.app, config.factory = (lambda: app), True
    config.load()
    assert config.loaded_app is app


def test_server_has_the_shutdown_that_libraries_watch() -> None:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    assert not server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
    assert list(inspect.signature(uvicorn.Server.handle_exit).parameters) == ["self", "sig", "frame"]


@BOTH
def test_an_exception_after_the_response_is_logged(http: str, caplog: pytest.LogCaptureFixture) -> None:
    """The drain waits for it: its task is there for as long as the app is not done."""

    async def story() -> None:
        async def fail(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
            await app(scope, receive, send)
            await asyncio.sleep(0)
            raise KeyError("lost")

        config = uvicorn.Config(fail, http=http, log_config=None, access_log=False)
        config.load()
        state = ServerState()
        connection: Any = config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=state, app_state={}
        )
        connection.connection_made(Transport())
        connection.data_received(REQUEST)
        while not connection.cycle.response_complete:
            await asyncio.sleep(0)
        assert (len(state.tasks), Inspector(type(connection)).is_open(connection)) == (1, False)
        await asyncio.gather(*state.tasks)
        assert "KeyError: 'lost'" in caplog.text

    asyncio.run(story())
