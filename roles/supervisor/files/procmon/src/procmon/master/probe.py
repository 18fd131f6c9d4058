# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request and its status, by httpx over a connected socket: the private probe and the heartbeat.

It uses no proxy, follows no redirect and has one time limit for everything. httpx asks for a network stream; ours is
the socket itself, which for the probe is one end of a pair whose other end the worker serves.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpcore
import httpx

from ..config import Bind, HeartbeatConfig
from ..core.events import ProbeResult
from ..core.health import NOT_READY

STALLED_SECONDS = 0.5
NOT_READY_SECONDS = 0.25
"""From an app's "not ready yet" to the next question."""
UNIX_RETRY_SECONDS = 0.05
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to connect to when bound to all

Connect = Callable[[], Awaitable[socket.socket]]


class SocketStream(httpcore.AsyncNetworkStream):
    """A connected socket as a network stream. Time limits are the caller's."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's
        """Read what has come; empty at the end."""
        try:
            return await self._loop.sock_recv(self._socket, max_bytes)
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - httpcore's
        """Write all of `buffer`."""
        try:
            await self._loop.sock_sendall(self._socket, buffer)
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close the socket."""
        self._socket.close()

    def get_extra_info(self, _info: str) -> Any:  # noqa: ANN401 - httpcore's
        """Return nothing: all that may be asked is optional."""
        return None


class SocketTransport(httpx.AsyncBaseTransport):
    """Sends a request over a socket that is connected already."""

    def __init__(self, sock: socket.socket) -> None:
        self._stream = SocketStream(sock)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the response's body is read from the socket as it is iterated."""
        url = request.url
        core_url = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        connection = httpcore.AsyncHTTP11Connection(core_url.origin, self._stream)
        response = await connection.handle_async_request(
            httpcore.Request(request.method, core_url, headers=request.headers.raw, extensions=request.extensions)
        )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> Any:  # noqa: ANN401 - an async generator of bytes
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


def host_header(heartbeat: HeartbeatConfig, bind: Bind) -> str:
    """Return the Host header of a client on this machine, or the one that is configured."""
    return heartbeat.host_header or ("localhost" if bind.path else f"localhost:{bind.port}")


def local_address(listener: socket.socket) -> Any:  # noqa: ANN401 - an address of the socket's family
    """Return the address at which a client on this machine reaches `listener`."""
    address = listener.getsockname()
    return (ANY_ADDRESS.get(address[0], address[0]), *address[1:]) if isinstance(address, tuple) else address


async def connect(listener: socket.socket) -> socket.socket:
    """Connect to the workers that accept from `listener`. Raises OSError."""
    address = local_address(listener)
    sock = socket.socket(listener.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if isinstance(address, tuple):
            await asyncio.get_running_loop().sock_connect(sock, address)
        else:
            await _connect_unix(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect_unix(sock: socket.socket, address: str | bytes) -> None:
    """Connect, and wait while the queue is full. asyncio would take the error that reports this for a connection."""
    while (found := sock.connect_ex(address)) == errno.EAGAIN:
        await asyncio.sleep(UNIX_RETRY_SECONDS)
    if found:
        raise OSError(found, os.strerror(found))


async def probe(open_connection: Connect, heartbeat: HeartbeatConfig, host: str, seconds: float) -> ProbeResult:
    """Ask a new worker until its app is ready: 503 means "not yet". The whole takes at most `seconds`.

    Time in which this process itself stood still does not count.
    """
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        left = end - began
        result = await ask(open_connection, heartbeat, host, left)
        end += _stall(began, left)
        last = time.monotonic() + 2 * NOT_READY_SECONDS >= end
        if result.status != NOT_READY or NOT_READY in heartbeat.accept or last:
            return result
        began = time.monotonic()
        await asyncio.sleep(NOT_READY_SECONDS)
        end += _stall(began, NOT_READY_SECONDS)


async def ask(open_connection: Connect, heartbeat: HeartbeatConfig, host: str, seconds: float) -> ProbeResult:
    """Ask once, within `seconds`; again when no answer came in time only because this process itself stood still."""
    while True:
        began = time.monotonic()
        result = await _ask_once(open_connection, heartbeat, host, seconds)
        if result.status is not None or not _stall(began, seconds):
            return result


def _stall(began: float, seconds: float) -> float:
    """Return by how much something that may take `seconds` took longer since `began`, if that is our own fault."""
    late = time.monotonic() - began - seconds
    return late if late > STALLED_SECONDS else 0.0


async def _ask_once(open_connection: Connect, heartbeat: HeartbeatConfig, host: str, seconds: float) -> ProbeResult:
    began = time.monotonic()
    status: int | None = None
    error = location = ""
    try:
        response = await asyncio.wait_for(_exchange(open_connection, heartbeat.path, host), seconds)
        status, location = response.status_code, response.headers.get("location", "")
    except (TimeoutError, asyncio.TimeoutError):
        error = f"no answer within {seconds:.3g} s"
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    return ProbeResult(status, (time.monotonic() - began) * 1000, error, location)


async def _exchange(open_connection: Connect, path: str, host: str) -> httpx.Response:
    """Send one request and read the whole response.

    The transport alone does it: a client would read the environment's proxies, the cookies, and where a redirect leads.
    """
    headers = {"Host": host, "User-Agent": "procmon", "Accept": "*/*", "Connection": "close"}
    # As an extension the path is sent as it is: a URL would have "#" end it.
    request = httpx.Request("GET", "http://localhost", headers=headers, extensions={"target": path.encode()})
    async with SocketTransport(await open_connection()) as transport:
        response = await transport.handle_async_request(request)
        async for _part in response.aiter_raw():
            pass
    return response
