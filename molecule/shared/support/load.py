"""Requests to a service while something is done to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from server import Server

CLIENT = Path(__file__).with_name("client.py")


@dataclass
class Report:
    """What the clients saw: how often each answer came, and the error of each request that got none."""

    answers: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


@contextmanager
def load(server: Server, port: int) -> Iterator[Report]:
    """Send requests to `port` on the server until the block ends; the report is filled in then."""
    with clients("podman", "exec", "-i", server.container, "python3", "-c", CLIENT.read_text(), str(port)) as report:
        yield report


@contextmanager
def load_from_outside(  # noqa: PLR0913  each has a name at the call
    server: Server, port: int, host: str, *, threads: int, pause: float, keep: bool = True
) -> Iterator[Report]:
    """Send requests for `host` from this machine to a published port, with `pause` seconds between two of a thread.

    `keep` is whether half of the threads keep their connections.
    """
    address, number = server.published(port)
    options = [f"--address={address}", f"--host={host}", f"--threads={threads}", f"--pause={pause}"]
    options += [] if keep else ["--no-keep"]
    with clients(sys.executable, "-c", CLIENT.read_text(), str(number), *options) as report:
        yield report


@contextmanager
def clients(*argv: str) -> Iterator[Report]:
    """Run the clients until the block ends."""
    report = Report()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield report
        seen = json.loads(process.communicate(timeout=120)[0])
    report.answers, report.lost = seen["answers"], seen["lost"]
