"""Fixtures: a listening socket, workers and clients that are ended with the test, whatever its outcome."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.procmon.fake_master import Address, Client, Worker, connect, listen

SERVERS = [("h11", "asyncio"), ("h11", "uvloop"), ("httptools", "asyncio"), ("httptools", "uvloop")]


@pytest.fixture
def ends() -> Iterator[contextlib.ExitStack]:
    """Yield the stack of what to close after the test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def listener(ends: contextlib.ExitStack) -> socket.socket:
    """Return a listening TCP socket."""
    return ends.enter_context(listen())


@pytest.fixture
def start(ends: contextlib.ExitStack, listener: socket.socket, tmp_path: Path) -> Callable[..., Worker]:
    """Return a function that starts a worker, by default on the TCP listener, with its errors in a file."""
    numbers = count()

    def start_worker(app: str = "behaviours:app", *, on: socket.socket = listener, **options: Any) -> Worker:  # noqa: ANN401 - a worker's
        worker = Worker(on, app, stderr=tmp_path / f"worker-{next(numbers)}.err", **options)
        ends.callback(worker.close)
        return worker

    return start_worker


@pytest.fixture(params=SERVERS, ids="-".join)
def server(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return uvicorn's options for each combination of HTTP implementation and event loop."""
    http, loop = request.param
    return {"http": http, "loop": loop}


@pytest.fixture
def client(ends: contextlib.ExitStack, listener: socket.socket) -> Callable[..., Client]:
    """Return a function that connects to the TCP listener, or to the address it is given."""

    def connect_client(address: Address | None = None) -> Client:
        made = Client(connect(address or listener.getsockname()))
        ends.callback(made.close)
        return made

    return connect_client


@pytest.fixture
def release(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a release directory whose module `shop` has the given source."""

    def make(source: str) -> Path:
        directory = tmp_path / "release"
        directory.mkdir()
        (directory / "shop.py").write_text(source)
        return directory

    return make
