# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's process from its first command to its exit code."""

from __future__ import annotations

import asyncio
import atexit
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from .channel import CHANNEL_CLOSED, Channel, Command
from .errors import WorkerError
from .parent import end_within, exit_with_parent
from .settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from .server import WorkerServer

TEARDOWN_SECONDS = 5.0  # for atexit handlers, threads and whatever else the interpreter waits for


def main(channel_fd: int) -> None:
    """Serve until drained, then exit with 0, or with 1 after a failure that was reported to the master."""
    signal.signal(signal.SIGINT, ignore)
    channel = Channel(channel_fd)
    first = channel.read()
    if first is CHANNEL_CLOSED:
        sys.exit(1)
    try:
        cut = run(first, channel)
    except WorkerError as failure:
        finish(channel, {"type": "failed", "stage": failure.stage, "error": failure.error}, 1)
    except (Exception, SystemExit) as error:
        finish(channel, {"type": "failed", "stage": "serve", "error": WorkerError.of("serve", error).error}, 1)
    finish(channel, {"type": "drained", "cut": cut}, 0)


def run(first: Command, channel: Channel) -> int:
    """Serve as the first command configures; return the number of requests that were cut. Raises WorkerError."""
    exit_with_parent(channel.fileno())
    settings = Settings.from_message(first.body)
    make_config, server_class = import_server()
    config = make_config(settings)
    return serve(config, server_class(config, settings, channel))


def ignore(_signal: int, _frame: FrameType | None) -> None:
    """Leave a terminal's Ctrl-C to the master. Unlike SIG_IGN, a handler is not inherited by the app's programs."""


def finish(channel: Channel, message: dict[str, Any], code: int) -> NoReturn:
    """Send the final message and exit, within `TEARDOWN_SECONDS` whatever the app has left running."""
    end_within(TEARDOWN_SECONDS, code)
    channel.send_final(message)
    sys.exit(code)


def serve(config: uvicorn.Config, server: WorkerServer) -> int:
    """Run the server; return the number of requests that its drain cut. Raises WorkerError."""
    loop = (config.get_loop_factory() or asyncio.new_event_loop)()
    asyncio.set_event_loop(loop)
    # At exit, and so after the final message, which must not wait for the app's cancelled tasks.
    atexit.register(loop.run_until_complete, cancel_tasks())
    return loop.run_until_complete(server.work())


async def cancel_tasks() -> None:
    """Cancel whatever the app has left running in this loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def import_server() -> tuple[Callable[[Settings], uvicorn.Config], type[WorkerServer]]:
    """Import what needs uvicorn. Raises WorkerError when the app's environment has none."""
    try:
        # Not at the top of this file: here its absence can be reported to the master.
        from .loader import make_config  # noqa: PLC0415 - see above
        from .server import WorkerServer  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        advice = "add uvicorn to the app's requirements and deploy again"
        raise WorkerError("import", f"uvicorn is not installed for {sys.executable}: {advice}") from error
    return make_config, WorkerServer
