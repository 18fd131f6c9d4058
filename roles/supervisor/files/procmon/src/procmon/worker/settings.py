# SPDX-License-Identifier: GPL-3.0-or-later
"""What the master tells a worker before anything else: the `configure` message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .failure import WorkerError

DEFAULTS: Mapping[str, Any] = {
    "timeout_keep_alive": 75,  # longer than the 60 s of proxies in front, which else reuse what is being closed
    "access_log": False,
}
OURS = frozenset({"app", "host", "port", "uds", "fd", "workers", "reload", "reload_dirs", "reload_includes"})


@dataclass(frozen=True)
class Settings:
    """One worker's settings.

    `listen_fd` is the inherited listening socket; `idle_grace` (seconds) the time that a silent connection is given
    during a drain; `silence` (seconds) how long the worker may say nothing when it has nothing new to say; `slot` and
    `generation` tell which of the master's workers this is.
    """

    app: str
    listen_fd: int
    uvicorn: Mapping[str, Any]
    idle_grace: float
    silence: float
    slot: int
    generation: int

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Settings:
        """Read a `configure` message.

        Raises WorkerError for another message and for an option that procmon sets itself, KeyError for a missing key.
        """
        if message["type"] != "configure":
            raise WorkerError("serve", f"the first message must be configure, not {message['type']}")
        if taken := sorted(OURS & message["uvicorn"].keys()):
            raise WorkerError(
                "import", f"[uvicorn] {', '.join(taken)}: procmon sets this itself; take it out of its configuration"
            )
        return cls(
            app=message["app"],
            listen_fd=int(message["listen_fd"]),
            uvicorn={**DEFAULTS, **message["uvicorn"]},
            idle_grace=float(message["idle_grace"]),
            silence=float(message["silence"]),
            slot=int(message["slot"]),
            generation=int(message["generation"]),
        )
