"""Users of a service, who count what they lose."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

from .service import Service
from .waiting import until


class Users(threading.Thread):
    """Asks without a pause and without a second try; `keep` reuses its connection as long as the server lets it."""

    def __init__(self, service: Service, *, keep: bool) -> None:
        super().__init__()
        self._service = service
        self._keep = keep
        self._enough = threading.Event()
        self.versions: list[str] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask until it is enough."""
        while not self._enough.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=30)
            with contextlib.closing(connection):
                self._ask(connection)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            while not self._enough.is_set():
                connection.request("GET", "/version")
                answer = connection.getresponse()
                self.versions.append(answer.read().decode().split(" ")[0])
                if not self._keep or answer.will_close:
                    return
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))

    def wait_for(self, version: str) -> None:
        """Wait until only `version` answers: while new workers begin, old ones may still accept."""
        until(lambda: set(self.versions[-20:]) == {version}, f"{version} answers")

    def stop(self) -> None:
        """End it."""
        self._enough.set()
        self.join()


@contextlib.contextmanager
def busy(service: Service) -> Iterator[list[Users]]:
    """Keep a service busy with new and with kept connections; in the end nothing may have been lost."""
    users = [Users(service, keep=keep) for keep in (False, True)]
    for user in users:
        user.start()
    try:
        yield users
    finally:
        for user in users:
            user.stop()
    assert [failure for user in users for failure in user.failures] == []
    assert all(user.versions for user in users)
