"""A strict client: sends requests until its input ends, never retries, and reports every request that got no answer.

It runs where a proxy would, on the server, or in front of one: `python3 - PORT < client.py` cannot end its input, so
it is given with -c. Half of the threads open a connection for each request, the others keep theirs until the server
announces its end. Half of either send POST, which no proxy may send twice.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
from collections import Counter

# Longer than systemd waits where nothing reports that a control group is empty: in containers with version 1 of these.
PATIENCE_SECONDS = 90


class Client(threading.Thread):
    """One connection at a time."""

    def __init__(self, number: int, options: argparse.Namespace, stop: threading.Event) -> None:
        super().__init__()
        self.options = options
        self.keep = options.keep and number % 2 == 0
        self.method = "POST" if number % 4 > 1 else "GET"
        # From half of it to one and a half: one thread after the other.
        self.pause = options.pause * (0.5 + number / options.threads)
        self.stop = stop
        self.answers: Counter[str] = Counter()
        self.lost: list[str] = []

    def run(self) -> None:
        """Ask again and again."""
        connection = http.client.HTTPConnection(self.options.address, self.options.port, timeout=PATIENCE_SECONDS)
        while not self.stop.is_set():
            try:
                self.answers[self.ask(connection)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
            self.stop.wait(self.pause)
        connection.close()

    def ask(self, connection: http.client.HTTPConnection) -> str:
        """One request; http.client itself closes the connection when the server announced that."""
        headers = {"Host": self.options.host} if self.options.host else {}
        headers |= {} if self.keep else {"Connection": "close"}
        connection.request(self.method, "/", body=b"x" if self.method == "POST" else None, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == http.HTTPStatus.OK else f"status {response.status}"


def parse() -> argparse.Namespace:
    """Return what to ask, and how often."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--host", help="the header, for a proxy with several sites")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--no-keep", dest="keep", action="store_false", help="a connection for each request only")
    parser.add_argument(
        "--pause", type=float, default=0.01, help="seconds between two requests of a thread, on average"
    )
    return parser.parse_args()


def main() -> None:
    """Run the threads until the input ends."""
    stop = threading.Event()
    options = parse()
    clients = [Client(number, options, stop) for number in range(options.threads)]
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
