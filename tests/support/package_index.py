# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package index that wants a password, and finds out who tells it to others."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Index(ThreadingHTTPServer):
    """Serves a directory for a password; records the requests, and which processes have it as an argument.

    The password is new each time: other tests run at the same time.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Asked, directory=str(directory)))
        self.password = secrets.token_hex(8)
        self.asked: set[str] = set()
        self.leaked: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://me:{self.password}@127.0.0.1:{self.server_port}/simple"


class Asked(SimpleHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        login = base64.b64encode(f"me:{self.server.password}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        self.server.asked.add(self.path)
        running = map(arguments, Path("/proc").glob("[0-9]*/cmdline"))
        self.server.leaked |= {each for each in running if self.server.password in each}
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def arguments(path: Path) -> str:
    """The arguments of a process, which may have ended since."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def package_index(directory: Path) -> Iterator[Index]:
    """Serve `directory`, in which `simple/NAME/` holds the files of each package, until the end of the block."""
    with Index(directory) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
