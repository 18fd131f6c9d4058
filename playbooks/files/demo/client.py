"""Send requests until a file appears, then count what was answered and what was lost: client.py HOST:PORT STOP_FILE

Two clients keep their connection, two open one per request; none retries. Prints one JSON object.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

LONGEST_SECONDS = 120


class Client(threading.Thread):
    """Sends requests in a loop, and counts answers by version and losses by kind."""

    def __init__(self, address: str, stop: Path, keep: bool) -> None:
        super().__init__()
        self.address, self.stop, self.keep = address, stop, keep
        self.answers: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def run(self) -> None:
        """Send requests until the stop file exists, or for `LONGEST_SECONDS`."""
        end = time.monotonic() + LONGEST_SECONDS
        connection = http.client.HTTPConnection(self.address, timeout=30)
        while not self.stop.exists() and time.monotonic() < end:
            try:
                self.ask(connection)
            except (OSError, http.client.HTTPException) as error:
                self.lost[type(error).__name__] += 1
                connection.close()
            if not self.keep:
                connection.close()
        connection.close()

    def ask(self, connection: http.client.HTTPConnection) -> None:
        """Send one request and count its answer."""
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status == http.HTTPStatus.OK:
            self.answers[text.split()[0]] += 1
        else:
            self.lost[f"status {answer.status}"] += 1


def main() -> None:
    """Run the clients and print the sum of their counts."""
    address, stop = sys.argv[1], Path(sys.argv[2])
    clients = [Client(address, stop, keep) for keep in (True, True, False, False)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    answers = sum((client.answers for client in clients), Counter())
    lost = sum((client.lost for client in clients), Counter())
    versions = ", ".join(f"{count} by {version}" for version, count in sorted(answers.items()))
    counts = {"answered": sum(answers.values()), "versions": versions, "lost": sum(lost.values()), "by_kind": lost}
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
