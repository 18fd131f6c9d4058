"""Requests to a service while something is done to it."""

from __future__ import annotations

import json
import subprocess
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
    report = Report()
    argv = ["podman", "exec", "-i", server.container, "python3", "-c", CLIENT.read_text(), str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "started\n"
        yield report
        seen = json.loads(client.communicate(timeout=120)[0])
    report.answers, report.lost = seen["answers"], seen["lost"]
