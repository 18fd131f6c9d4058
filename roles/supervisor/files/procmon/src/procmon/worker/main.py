# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's life from its first order to its exit code."""

from __future__ import annotations

import asyncio
import atexit
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from .control import GONE, Control, Order
from .ending import end_with_master, end_within
from .failure import WorkerError
from .settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from .server import WorkerServer

TEARDOWN_SECONDS = 5.0  # for atexit handlers, threads and what else the app leaves to the interpreter's end


def main(control_fd: int) -> None:
    """Serve until drained, then exit with 0, or 1 after a failure that the master has been told."""
    signal.signal(signal.SIGINT, ignore)
    control = Control(control_fd)
    first = control.read()
    if first is GONE:
        sys.exit(1)
    try:
        config, server_class, settings, control = begin(first, control)
        cut = serve(config, server_class(config, settings, control))
    except WorkerError as failure:
        finish(control, {"type": "failed", "stage": failure.stage, "error": failure.error}, 1)
    except (Exception, SystemExit) as error:
        finish(control, {"type": "failed", "stage": "serve", "error": WorkerError.of("serve", error).error}, 1)
    finish(control, {"type": "drained", "cut": cut}, 0)


def begin(first: Order, control: Control) -> tuple[uvicorn.Config, type[WorkerServer], Settings, Control]:
    """Prepare to serve; as a zygote, become one of its workers, which has a channel and settings of its own.

    Raises WorkerError.
    """
    is_zygote = bool(first.body.get("zygote"))
    if not is_zygote:
        end_with_master(control.fileno())
    settings = Settings.from_message(first.body)
    make_config, server_class = import_server()
    config = make_config(settings)
    if is_zygote:
        control, settings = fork_worker(control, config, settings)
    return config, server_class, settings, control


def fork_worker(control: Control, config: uvicorn.Config, settings: Settings) -> tuple[Control, Settings]:
    """Be the zygote; returns in each worker."""
    from .zygote import be_forked  # noqa: PLC0415 - most workers are none

    control = be_forked(control, config, settings.app, settings.listen_fd)
    order = control.read()
    if order is GONE:
        sys.exit(1)
    end_with_master(control.fileno())
    return control, Settings.from_message(order.body)


def ignore(_signal: int, _frame: FrameType | None) -> None:
    """Leave a terminal's Ctrl-C to the master. A handler, unlike SIG_IGN, is not passed on to the app's children."""


def finish(control: Control, message: dict[str, Any], code: int) -> NoReturn:
    """Say the last word and exit, within `TEARDOWN_SECONDS` whatever the app has left running."""
    end_within(TEARDOWN_SECONDS, code)
    control.send_last(message)
    sys.exit(code)


def serve(config: uvicorn.Config, server: WorkerServer) -> int:
    """Run the server; give the number of requests that its drain cut. Raises WorkerError."""
    loop = (config.get_loop_factory() or asyncio.new_event_loop)()
    asyncio.set_event_loop(loop)
    # At exit, and so after the last word: what the app's tasks do when cancelled must not hold that back.
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
        # Only here can the lack of it be told to the master.
        from .app import make_config  # noqa: PLC0415 - see above
        from .server import WorkerServer  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        advice = "add uvicorn to the app's requirements and deploy again"
        raise WorkerError("import", f"uvicorn is not installed for {sys.executable}: {advice}") from error
    return make_config, WorkerServer
