"""A worker, or a zygote of workers, as a program: `start.py worker|zygote COUNT APP`, in the app's directory.

Each worker loads uvicorn and the app as procmon's worker does and says `ready PID` on standard output. When standard
input ends it answers some requests, so that memory that is shared at the start is written to, says `served PID`, and
waits to be killed.
"""

from __future__ import annotations

import asyncio
import gc
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
    importlib.import_module("procmon_worker.main").import_server()
    worker_app = importlib.import_module("procmon_worker.app")
    settings = importlib.import_module("procmon_worker.settings")
    config = worker_app.make_config(settings.Settings(app, 0, {"ws": ws}, 5.0, 0, 1))
    worker_app.load(config, app)
    return config.loaded_app


def say(word: str) -> None:
    """Tell the bench; one write, for several workers share the pipe."""
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


def fork(count: int, app: Any) -> None:  # noqa: ANN401  as above
    """Be the zygote: fork `count` workers and leave, as nobody needs it any more."""
    gc.collect()
    gc.freeze()
    for _ in range(count):
        if os.fork() == 0:
            work(app)
    os._exit(0)


def main(kind: str, count: int, app: str) -> None:
    """Be one worker, or the zygote of `count`."""
    loaded = load(app, os.environ["BENCH_WS"])
    if kind == "zygote":
        fork(count, loaded)
    work(loaded)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
