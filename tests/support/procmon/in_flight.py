"""A request that the app has taken and does not answer: what a drain waits for."""

from __future__ import annotations

import contextlib
import http.client
from pathlib import Path

from tests.support.waiting import until


class InFlightRequest:
    """The request: the app tells its `pid` in `<barrier>.held` when it has it, and waits for `<barrier>.go`."""

    def __init__(self, connection: http.client.HTTPConnection, barrier: Path) -> None:
        self._connection = connection
        self._go = Path(f"{barrier}.go")
        taken = Path(f"{barrier}.held")
        self.pid = int(until(lambda: taken.exists() and taken.read_text(), "the request is in the app"))

    def go(self) -> None:
        """Make the app answer."""
        self._go.touch()

    def answer(self) -> tuple[int, str]:
        """Wait for the answer; return its status and its first word, which is the version."""
        with contextlib.closing(self._connection):
            response = self._connection.getresponse()
            return response.status, response.read().decode().split(" ")[0]
