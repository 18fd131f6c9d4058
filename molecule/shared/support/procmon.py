"""What procmon reports about itself on a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from server import Server


def status(server: Server, project: str) -> dict[str, Any]:
    """Return the report of a project's procmon."""
    found: dict[str, Any] = json.loads(server.run("cat", f"/run/procmon/{project}/status.json"))
    return found


def main_pid(server: Server, project: str) -> int:
    """Return the process that systemd takes for the service."""
    return int(server.run("systemctl", "show", "--property=MainPID", "--value", f"procmon@{project}.service"))


def variable(server: Server, project: str, name: str) -> str:
    """Return a variable of a worker that serves; nothing where it has none of this name."""
    worker = next(worker["pid"] for worker in status(server, project)["workers"] if worker["state"] == "active")
    variables = server.run("runuser", "-u", "deploy", "--", "cat", f"/proc/{worker}/environ").split("\0")
    return next((line.partition("=")[2] for line in variables if line.startswith(f"{name}=")), "")


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something is true; an AssertionError names what has not become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
