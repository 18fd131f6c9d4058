"""Apps that speak WSGI: served where `interface` says so, refused with the remedy where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.procmon.fake_master import Client, Worker
from tests.support.waiting import until

Start = Callable[..., Worker]
Connect = Callable[..., Client]
Release = Callable[[str], Path]

# Holds a request as the app `behaviours` does, in the thread of a WSGI app.
APP = """
import os, time
class App:
    def __call__(self, environ, start_response):
        barrier = environ["QUERY_STRING"]
        if barrier:
            open(barrier + ".held", "w").close()
            while not os.path.exists(barrier + ".go"):
                time.sleep(0.01)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"held" if barrier else b"wsgi"]
app = App()
def function(environ, start_response):
    return app(environ, start_response)
def create():
    return app
class Asgi2:
    def __init__(self, scope):
        self.scope = scope
    async def __call__(self, receive, send):
        assert self.scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"asgi2"})
"""


@pytest.mark.parametrize("app", ["shop:app", "shop:function", "shop:create()"])
def test_a_wsgi_app_without_interface_is_refused_with_what_to_set(start: Start, release: Release, app: str) -> None:
    """uvicorn takes it for one of ASGI 2, and each request would fail with a TypeError."""
    worker = start(app, directory=release(APP))
    message = worker.next()
    assert (message["type"], message["stage"]) == ("failed", "import"), message
    assert "two arguments, as one for WSGI does" in message["error"]
    assert "Set uvicorn: {interface: wsgi}" in message["error"]
    assert worker.exit_code() == 1


def test_an_app_of_asgi_2_is_no_wsgi_app(start: Start, client: Connect, release: Release) -> None:
    start("shop:Asgi2", directory=release(APP)).accepting()
    assert client().get().body == b"asgi2"


@pytest.mark.parametrize("app", ["shop:app", "shop:function", "shop:create()"])
def test_a_drain_waits_for_the_thread_of_a_wsgi_request(
    start: Start, client: Connect, release: Release, tmp_path: Path, app: str
) -> None:
    worker = start(app, directory=release(APP), interface="wsgi", idle_grace=0.1).accepting()
    assert client().get().body == b"wsgi"
    connection = client()
    barrier = tmp_path / "barrier"
    connection.request(f"/?{barrier}")
    until(barrier.with_suffix(".held").exists, "the held request")
    worker.drain()
    assert worker.report("draining")["in_flight"] == 1
    barrier.with_suffix(".go").touch()
    response = connection.response()
    assert (response.body, response.closes) == (b"held", True)
    assert worker.drained() == 0
