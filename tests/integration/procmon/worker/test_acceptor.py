"""The listener's end: at whatever moment it comes, a connection is either served or left to the others."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

import pytest
import uvloop
from procmon.worker.acceptor import Acceptor

from tests.support.procmon.fake_master import connect, listen

LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Greeting(asyncio.Protocol):
    """Greets and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        stream.write(b"served")
        stream.close()


async def greet(sock: socket.socket) -> None:
    """Greet the connection with a protocol of the running loop."""
    sock.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(Greeting, sock)


async def turns(count: int) -> None:
    """Run `count` iterations of the event loop."""
    for _turn in range(count):
        await asyncio.sleep(0)


@LOOPS
@pytest.mark.parametrize("after", range(8))
def test_connection_is_served_or_left(factory: Callable[[], asyncio.AbstractEventLoop], after: int) -> None:
    """Between accept and attachment a connection has no owner: each iteration of the loop is tried."""

    async def story(shared: socket.socket) -> None:
        acceptor = Acceptor(os.dup(shared.fileno()))
        acceptor.open(greet)
        client = connect(shared.getsockname())
        await turns(after)
        assert await acceptor.close(last=False) == []
        await turns(5)
        with client:
            assert accept_and_greet(shared) or client.recv(10) == b"served"

    with listen() as shared, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story(shared))


def accept_and_greet(shared: socket.socket) -> bool:
    """Do another worker's part; False when no connection waits."""
    try:
        taken, _ = shared.accept()
    except BlockingIOError:
        return False
    taken.close()
    return True


@LOOPS
def test_last_one_gives_what_waits(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def story(shared: socket.socket) -> None:
        acceptor = Acceptor(os.dup(shared.fileno()))
        with connect(shared.getsockname()) as first, connect(shared.getsockname()) as second:
            waiting = await acceptor.close(last=True)
            assert [sock.getpeername() for sock in waiting] == [first.getsockname(), second.getsockname()]
            for sock in waiting:
                sock.close()

    with listen() as shared, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story(shared))
