"""Users of a service, who count what they lose."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

from tests.support.procmon.service import Service
from tests.support.waiting import until

OK = 200


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
            connection = self._service.connection()
            with contextlib.closing(connection):
                self._ask(connection)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            while not self._enough.is_set():
                connection.request("GET", "/version")
                answer = connection.getresponse()
                self.versions.append(
                    answer.read().decode().split(" ")[0] if answer.status == OK else str(answer.status)
                )
                if not self._keep or answer.will_close:
                    return
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))

    def wait_for(self, version: str) -> None:
        """Wait until only `version` answers: while new workers begin, old ones may still accept."""
        until(lambda: set(self.versions[-20:]) == {version}, f"{version} answers")

    def wait_for_more(self, count: int = 20) -> None:
        """Wait until so many more requests have ended, well or not."""
        before = len(self.versions) + len(self.failures)
        until(lambda: len(self.versions) + len(self.failures) >= before + count, f"{count} more requests have ended")

    def stop(self) -> None:
        """End it."""
        self._enough.set()
        self.join()


@contextlib.contextmanager
def busy(service: Service) -> Iterator[list[Users]]:
    """Keep a service busy with new and with kept connections; in the end nothing may have been lost."""
    with load(service, 1, 1) as users:
        yield users
    assert lost(users) == []
    assert all(user.versions for user in users)


@contextlib.contextmanager
def load(service: Service, fresh: int = 2, keeping: int = 2) -> Iterator[list[Users]]:
    """Run users, `fresh` of them with a connection for each request."""
    users = [Users(service, keep=number >= fresh) for number in range(fresh + keeping)]
    for user in users:
        user.start()
    try:
        yield users
    finally:
        for user in users:
            user.stop()


def lost(users: list[Users]) -> list[str]:
    """Return what went wrong, and every answer that was not 200."""
    wrong = [answer for user in users for answer in user.versions if answer.isdigit()]
    return [failure for user in users for failure in user.failures] + wrong
