# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's settings, which the master sends in the first message, `configure`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import WorkerError

DEFAULTS: Mapping[str, Any] = {
    "timeout_keep_alive": 75,  # longer than the 60 s of proxies in front, which would reuse a connection being closed
    "access_log": False,
}
RESERVED_UVICORN_OPTIONS = frozenset(
    {"app", "host", "port", "uds", "fd", "workers", "reload", "reload_dirs", "reload_includes"}
)
DRAIN_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Settings:
    """One worker's settings.

    `listen_fd` is the inherited listening socket. In seconds: `idle_grace`, how long a silent connection is kept
    during a drain; `drain_timeout`, the time for a drain that the master did not order; `tick_interval`, how long the
    worker may send no report when nothing has changed. `slot` and `generation` identify the worker to the master.
    """

    app: str
    listen_fd: int
    uvicorn: Mapping[str, Any]
    idle_grace: float
    drain_timeout: float
    tick_interval: float
    slot: int
    generation: int

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Settings:
        """Read a `configure` message.

        Raises WorkerError for another message and for an option that procmon sets itself, KeyError for a missing key.
        """
        if message["type"] != "configure":
            raise WorkerError("serve", f'the first message must be "configure", not "{message["type"]}"')
        if reserved := sorted(RESERVED_UVICORN_OPTIONS & message["uvicorn"].keys()):
            raise WorkerError(
                "import", f"[uvicorn] {', '.join(reserved)}: set by procmon itself; remove it from the configuration"
            )
        return cls(
            app=message["app"],
            listen_fd=int(message["listen_fd"]),
            uvicorn={**DEFAULTS, **message["uvicorn"]},
            idle_grace=float(message["idle_grace"]),
            drain_timeout=float(message.get("drain_timeout", DRAIN_TIMEOUT_SECONDS)),
            tick_interval=float(message["tick_interval"]),
            slot=int(message["slot"]),
            generation=int(message["generation"]),
        )
