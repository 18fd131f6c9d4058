# SPDX-License-Identifier: GPL-3.0-or-later
"""What one procmon leaves to its successor: the core's memory, the workers' processes, and open files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config import Config
from .core import Core
from .memory import recall

FORMAT = 1
"""Raised by whatever an older procmon could not read; the workers' control channel is part of it."""


class HandoverError(Exception):
    """Raised when this procmon cannot go on where the other one was."""


@dataclass(frozen=True)
class Handover:
    """All of it. `settings` identifies the configuration that the other one has read."""

    core: Mapping[str, Any]
    processes: list[dict[str, Any]]
    identity: Mapping[str, str]
    settings: str
    files: Mapping[str, int]
    """File descriptors by what they are: `listener`, `lock` and `signals`."""

    def to_json(self) -> bytes:
        """Write it."""
        return json.dumps({"format": FORMAT, **vars(self)}).encode()

    def descriptors(self) -> list[int]:
        """Return every file descriptor that it names."""
        return [*self.files.values(), *(one[end] for one in self.processes for end in ("control_fd", "output_fd"))]


def identity(config: Config) -> dict[str, str]:
    """Return what cannot change without a restart: what others know this procmon by."""
    return {"name": config.name, "bind": str(config.bind), "state_dir": str(config.state_path)}


def from_json(data: bytes) -> Handover:
    """Read what `Handover.to_json` has written. Raises `HandoverError`."""
    try:
        found = json.loads(data)
        if found.pop("format") == FORMAT:
            return Handover(**found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HandoverError(f"what the running procmon leaves cannot be read: {error!r}; restart it instead") from error
    raise HandoverError(f"the running procmon leaves another format than {FORMAT}; restart it instead")


def restore(core: Core, handed: Handover) -> None:
    """Put a new core where the other procmon's was. Raises `HandoverError`."""
    for key, now in identity(core.config).items():
        if handed.identity.get(key) != now:
            raise HandoverError(
                f'{key} is "{now}" in the configuration and "{handed.identity.get(key)}" in the procmon that runs: '
                "that takes a restart"
            )
    try:
        recall(core, handed.core, handed.settings)
    except (KeyError, TypeError, ValueError) as error:
        raise HandoverError(
            f"the running procmon's state cannot be taken over: {error!r}; restart it instead"
        ) from error
