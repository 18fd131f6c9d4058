"""A worker as a program: `start.py APP`, in the app's directory.

It loads uvicorn and the app as procmon's worker does and says `ready PID` on standard output. When standard
input ends it answers some requests, says `served PID`, and waits to be killed.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

BOOT = Path(__file__).parents[3] / "roles/supervisor/files/procmon/src/procmon/worker/boot.py"
REQUESTS = 3000
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
}


def load(app: str, ws: str) -> Any:  # noqa: ANN401  an ASGI app
    """Import what procmon's worker imports, in its order; give the loaded app."""
    spec = importlib.util.spec_from_file_location("boot", BOOT)
    assert spec is not None
    assert spec.loader is not None
    boot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(boot)
    boot.put_release_first()
    boot.load_package()
    loader, _server = importlib.import_module("procmon_worker.main").import_uvicorn()
    settings = importlib.import_module("procmon_worker.settings")
    message = {"type": "configure", "app": app, "listen_fd": 0, "uvicorn": {"ws": ws}, "slot": 0, "generation": 1}
    config = loader.make_config(settings.Settings.from_message({**message, "idle_grace": 5, "tick_interval": 5}))
    loader.import_app(config, app)
    loader.load(config)
    return config.loaded_app


def say(word: str) -> None:
    """Report to the benchmark."""
    os.write(1, f"{word} {os.getpid()}\n".encode())


def work(app: Any) -> None:  # noqa: ANN401  as above
    """Be a worker that has loaded `app`."""
    say("ready")
    sys.stdin.buffer.read()
    asyncio.run(serve(app))
    say("served")
    signal.pause()


async def serve(app: Any) -> None:  # noqa: ANN401  as above
    """Answer `REQUESTS` requests."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200

    for _ in range(REQUESTS):
        await app(dict(SCOPE), receive, send)


if __name__ == "__main__":
    work(load(sys.argv[1], os.environ["BENCH_WS"]))
