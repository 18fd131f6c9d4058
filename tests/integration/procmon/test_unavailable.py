"""What clients of a held socket get while there is nothing to serve."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import time
from collections.abc import AsyncIterator

import pytest
from procmon.master import unavailable as module
from procmon.master.unavailable import MAX_CLIENTS, Unavailable

REASON = "no release has been deployed yet"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def refusing(backlog: int = 512) -> AsyncIterator[tuple[Unavailable, tuple[str, int]]]:
    """Refuse clients on a port."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        listener.setblocking(False)
        unavailable = Unavailable(listener, "blog")
        unavailable.start(REASON)
        try:
            yield unavailable, listener.getsockname()
        finally:
            unavailable.stop()
            await asyncio.gather(*unavailable._clients)


async def talk(address: tuple[str, int], *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts, and return all that comes until the connection is closed."""
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.closing(writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 30)


def test_a_client_gets_503_and_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> bytes:
        async with refusing() as (_unavailable, address):
            return await talk(address, REQUEST)

    monkeypatch.setattr(module, "REQUEST_SECONDS", 3600)
    head, _, body = asyncio.run(run()).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert {"Retry-After: 5", "Connection: close", f"Content-Length: {len(body)}"} <= set(headers)
    assert body.decode() == f"blog: {REASON}\n"


def test_head_gets_the_headers_alone() -> None:
    async def run() -> bytes:
        async with refusing() as (_unavailable, address):
            return await talk(address, REQUEST.replace(b"GET", b"HEAD"))

    answer = asyncio.run(run())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        REQUEST * 3,
    ],
    ids=["HTTP/1.0", "upload", "expect", "websocket", "pipelined"],
)
def test_other_requests_get_it_too(request_: bytes) -> None:
    async def run() -> bytes:
        async with refusing() as (_unavailable, address):
            return await talk(address, request_)

    answer = asyncio.run(run())
    assert answer.count(b"503 Service Unavailable") == 1
    assert answer.endswith(f"blog: {REASON}\n".encode())


def test_a_slow_client_gets_it_once_its_request_is_complete() -> None:
    async def run() -> bytes:
        async with refusing() as (_unavailable, address):
            return await talk(address, *(REQUEST[at : at + 4] for at in range(0, len(REQUEST), 4)), pause=0.05)

    assert b"503 Service Unavailable" in asyncio.run(run())


@pytest.mark.parametrize("begins", [b"", b"GET / HT"])
def test_a_client_that_sends_nothing_is_waited_for_in_limits(monkeypatch: pytest.MonkeyPatch, begins: bytes) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)

    async def run() -> None:
        async with refusing() as (_unavailable, address):
            began = time.monotonic()
            assert await talk(address, begins) == b""
            assert time.monotonic() - began >= 0.25
            assert b"503" in await talk(address, REQUEST)

    asyncio.run(run())


def test_a_client_that_never_closes_is_left_in_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.3)

    async def run() -> None:
        async with refusing() as (unavailable, address):
            _reader, writer = await asyncio.open_connection(*address)
            writer.write(REQUEST)
            await wait_clients(unavailable, 1)
            await wait_clients(unavailable, 0)
            writer.close()

    asyncio.run(run())


async def wait_clients(unavailable: Unavailable, number: int) -> None:
    """Wait until so many clients are being answered."""
    deadline = time.monotonic() + 30
    while len(unavailable._clients) != number:
        assert time.monotonic() < deadline, f"there were never {number} clients"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100_000, b"\r\n\r\nhello\r\n"]
)
def test_garbage_is_not_answered_and_harms_no_other(garbage: bytes) -> None:
    async def run() -> None:
        async with refusing() as (_unavailable, address):
            with contextlib.suppress(ConnectionError):
                assert b"503" not in await talk(address, garbage, b"\r\n\r\n")
            assert b"503" in await talk(address, REQUEST)

    asyncio.run(run())


def test_two_hundred_clients_at_once() -> None:
    async def run() -> None:
        async with refusing() as (_unavailable, address):
            answers = await asyncio.gather(*(talk(address, REQUEST) for _ in range(200)))
            assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)

    asyncio.run(run())


def test_idle_clients_up_to_the_limit_hold_others_up_only_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.5)

    async def run() -> None:
        async with refusing() as (unavailable, address):
            idle = [await asyncio.open_connection(*address) for _ in range(MAX_CLIENTS + 10)]
            await wait_clients(unavailable, MAX_CLIENTS)
            assert b"503" in await talk(address, REQUEST)
            for _reader, writer in idle:
                writer.close()

    asyncio.run(run())


def test_clients_in_the_queue_are_left_to_the_next_acceptor() -> None:
    async def run() -> None:
        async with refusing() as (unavailable, address):
            assert b"503" in await talk(address, REQUEST)
            with socket.create_connection(address) as queued:
                # The loop has not turned since: it is in the queue.
                unavailable.stop()
                queued.sendall(REQUEST)
                await asyncio.sleep(0.05)
                accepted, _ = unavailable._listener.accept()
                with accepted:
                    assert accepted.recv(1000) == REQUEST

    asyncio.run(run())


def test_those_that_were_accepted_still_get_their_answer_after_the_stop() -> None:
    async def run() -> bytes:
        async with refusing() as (unavailable, address):
            reader, writer = await asyncio.open_connection(*address)
            await wait_clients(unavailable, 1)
            unavailable.stop()
            writer.write(REQUEST)
            answer = await reader.read()
            writer.close()
            return answer

    assert REASON.encode() in asyncio.run(run())


def test_it_starts_again_with_another_reason() -> None:
    async def run() -> bytes:
        async with refusing() as (unavailable, address):
            unavailable.start("another")
            unavailable.stop()
            unavailable.start("the release could not be started")
            return await talk(address, REQUEST)

    assert b"blog: the release could not be started\n" in asyncio.run(run())


def test_a_socket_that_does_not_listen_is_left_alone() -> None:
    async def run() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            unavailable = Unavailable(sock, "blog")
            unavailable.start(REASON)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*sock.getsockname())
            unavailable.stop()

    asyncio.run(run())


def test_a_socket_that_is_closed_while_it_is_watched_does_no_harm() -> None:
    """A worker may have it open still: then the kernel goes on reporting it."""

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        with listener.dup() as workers:
            unavailable = Unavailable(listener, "blog")
            unavailable.start(REASON)
            listener.close()
            with socket.create_connection(workers.getsockname()):
                await asyncio.sleep(0.02)
                assert not unavailable._accepting
            unavailable.stop()

    asyncio.run(run())


def test_without_a_descriptor_left_it_waits_instead_of_trying_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.2)
    attempts = 0

    class Exhausted(socket.socket):
        """A socket that fails to accept twice."""

        def accept(self) -> tuple[socket.socket, object]:
            nonlocal attempts
            attempts += 1
            if attempts <= 2:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return super().accept()

    async def run() -> None:
        with Exhausted() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.setblocking(False)
            unavailable = Unavailable(listener, "blog")
            unavailable.start(REASON)
            began = time.monotonic()
            assert b"503" in await talk(listener.getsockname(), REQUEST)
            assert time.monotonic() - began >= 0.4
            unavailable.stop()

    asyncio.run(run())
    assert attempts == 3
