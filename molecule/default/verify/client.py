"""A strict client: sends requests until its input ends, never retries, and reports every request that got no answer.

It runs on the server, where a proxy would: `python3 - PORT < client.py` cannot end its input, so it is given with -c.
Half of the threads open a connection for each request, the others keep theirs until the server announces its end.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter

THREADS = 8
PAUSE_SECONDS = 0.01
# Longer than systemd waits where nothing reports that a control group is empty: in containers with version 1 of these.
PATIENCE_SECONDS = 90


class Client(threading.Thread):
    """One connection at a time."""

    def __init__(self, port: int, keep: bool, stop: threading.Event) -> None:
        super().__init__()
        self.port = port
        self.keep = keep
        self.stop = stop
        self.answers: Counter[str] = Counter()
        self.lost: list[str] = []

    def run(self) -> None:
        """Ask again and again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        while not self.stop.is_set():
            try:
                self.answers[self.ask(connection)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
            time.sleep(PAUSE_SECONDS)
        connection.close()

    def ask(self, connection: http.client.HTTPConnection) -> str:
        """One request; http.client itself closes the connection when the server announced that."""
        connection.request("GET", "/", headers={} if self.keep else {"Connection": "close"})
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == http.HTTPStatus.OK else f"status {response.status}"


def main() -> None:
    """Run the threads until the input ends."""
    stop = threading.Event()
    clients = [Client(int(sys.argv[1]), number % 2 == 0, stop) for number in range(THREADS)]
    for client in clients:
        client.start()
    print("started", flush=True)
    sys.stdin.read()
    stop.set()
    for client in clients:
        client.join()
    answers = sum((client.answers for client in clients), Counter[str]())
    print(json.dumps({"answers": answers, "lost": [error for client in clients for error in client.lost]}), flush=True)


main()
