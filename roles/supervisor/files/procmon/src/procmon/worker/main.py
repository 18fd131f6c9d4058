# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's process from its first command to its exit code.

The order is that of `uvicorn module:app`, so that the app finds the same interpreter: import the app, then create the
event loop; at the end cancel what is left in the loop, then let the interpreter wait for threads and exit handlers.
"""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from . import signals
from .channel import CHANNEL_CLOSED, Channel, Command
from .errors import WorkerError
from .parent import exit_with_parent, exit_within
from .settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from .server import Drained, WorkerServer

TEARDOWN_SECONDS = 5.0  # the least for tasks, threads and exit handlers; a drain that ends early leaves them more


@dataclass
class End:
    """How the process ends: its final message, its exit code, and how many seconds its exit may take."""

    message: dict[str, Any]
    code: int
    seconds: float = TEARDOWN_SECONDS


def main(channel_fd: int) -> None:
    """Serve until drained, then exit with 0, or with 1 after a failure that was reported to the master."""
    signals.reset_in_forked_children()
    signals.install(signal.SIGINT, ignore)
    write_whole_lines()
    channel = Channel(channel_fd)
    first = channel.read()
    if first is CHANNEL_CLOSED:
        sys.exit(1)
    loop: asyncio.AbstractEventLoop | None = None
    try:
        server = load_server(first, channel)
        loop = make_loop(server.config)
        end = end_of_drain(loop.run_until_complete(server.work()))
    except WorkerError as failure:
        end = end_of_failure(failure)
    except (Exception, SystemExit) as error:
        if channel.is_inherited():  # a child forked by the app, which has raised through the server
            raise
        end = end_of_failure(WorkerError.of("serve", error))
    # Everything below is bounded, whatever the app has left running; the message does not wait for it.
    exit_within(end.seconds, end.code)
    channel.send_final(end.message)
    if loop is not None:
        close_loop(loop)
    sys.exit(end.code)


def end_of_drain(drained: Drained) -> End:
    """Return a good end. What is left of the drain's time may be used by threads and exit handlers."""
    return End({"type": "drained", "cut": drained.cut}, 0, max(TEARDOWN_SECONDS, drained.seconds_left))


def end_of_failure(failure: WorkerError) -> End:
    """Return the end after a failure."""
    return End({"type": "failed", "stage": failure.stage, "error": failure.error}, 1)


def load_server(first: Command, channel: Channel) -> WorkerServer:
    """Import the app and make its server, as the first command configures. Raises WorkerError."""
    exit_with_parent(channel.fileno())
    settings = Settings.from_message(first.body)
    loader, server = import_uvicorn()
    config: uvicorn.Config = loader.make_config(settings)
    sys.argv = [str(Path(sys.executable).parent / "uvicorn"), settings.app]
    loader.import_app(config, settings.app)
    made: WorkerServer = server.WorkerServer(config, settings, channel)
    return made


def write_whole_lines() -> None:
    """Write each line of print() at once: without buffering its newline follows alone, after another worker's line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


def ignore(_signal: int, _frame: FrameType | None) -> None:
    """Leave a terminal's Ctrl-C to the master. Unlike SIG_IGN, a handler is not inherited by the app's programs."""


def make_loop(config: uvicorn.Config) -> asyncio.AbstractEventLoop:
    """Create the event loop that the configuration asks for."""
    loop = (config.get_loop_factory() or asyncio.new_event_loop)()
    asyncio.set_event_loop(loop)
    return loop


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Do what asyncio.run() does at its end, in its order: threads of the executor may still need the loop."""
    loop.run_until_complete(cancel_tasks())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


async def cancel_tasks() -> None:
    """Cancel whatever the app has left running in this loop, and log what it raises."""
    loop = asyncio.get_running_loop()
    left = list(asyncio.all_tasks() - {asyncio.current_task()})
    for task in left:
        task.cancel()
    for task, result in zip(left, await asyncio.gather(*left, return_exceptions=True), strict=True):
        if isinstance(result, Exception):  # a CancelledError is none
            loop.call_exception_handler({"message": "exception during shutdown", "exception": result, "task": task})


def import_uvicorn() -> tuple[Any, Any]:
    """Import the modules that need uvicorn. Raises WorkerError when the app's environment has none."""
    try:
        # Not at the top of this file: here its absence can be reported to the master.
        from . import loader, server  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        advice = "add uvicorn to the app's requirements and deploy again"
        raise WorkerError("import", f"uvicorn is not installed for {sys.executable}: {advice}") from error
    return loader, server
