# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apps of docs/examples as projects: their repositories, their packages, and visitors who count what they lose."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.support.ports import free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
REQUIREMENTS = ROOT / "tests/integration/apps/requirements.txt"
GIT = shutil.which("git") or "git"
PAUSE_SECONDS = 0.05
AUTHOR = ("-c", "user.name=test", "-c", "user.email=test@localhost")


def wheels() -> Path:
    """Return a directory with all packages of the examples. It is filled once for each list of them."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = ROOT / ".ansible/example-wheels" / f"{digest}-{sys.implementation.cache_tag}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            partial = place.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            argv = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:"]
            subprocess.run([*argv, "--no-deps", "-r", str(REQUIREMENTS), "-d", str(partial)], check=True)
            partial.rename(place)
    return place


@dataclass
class Example:
    """One of docs/examples as a project: `name` is that of its section's file, `source` that of its directory."""

    name: str
    source: str
    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def repo(self) -> Path:
        """Its repository."""
        return self.folder / "repos" / self.name

    @property
    def path(self) -> Path:
        """Where it is deployed."""
        return self.folder / "srv" / self.name

    def section(self, **changed: object) -> dict[str, object]:
        """Return the section of the documents, but for where everything is."""
        text = (EXAMPLES / f"{self.name.replace('_', '-')}.yml").read_text(encoding="utf-8")
        shown: dict[str, object] = yaml.safe_load(text)["projects"]["notes"]
        return {**shown, "repo": str(self.repo), "path": str(self.path), "bind": f"127.0.0.1:{self.port}", **changed}

    def host(self) -> str:
        """Return the Host that it is asked for."""
        heartbeat = self.section().get("heartbeat")
        assert isinstance(heartbeat, dict)
        return str(heartbeat.get("host_header", "localhost"))

    def git(self, *argv: str) -> str:
        """Run git in its repository, and return what it prints."""
        return subprocess.check_output([GIT, "-C", str(self.repo), *AUTHOR, *argv], text=True).strip()

    def create(self) -> None:
        """Create its repository with the files of the documents."""
        shutil.copytree(EXAMPLES / self.source, self.repo, ignore=shutil.ignore_patterns("__pycache__"))
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("the files of the documents")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a file in the next commit."""
        path = self.repo / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.commit(f"{file}: {new}")

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, str]:
        """Send a request, and return the status and the text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": self.host(), **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


class Visitor(threading.Thread):
    """Asks for a page all the time and without a second try; `keep` reuses its connection while the server does."""

    def __init__(self, example: Example, *, keep: bool) -> None:
        super().__init__()
        self._example = example
        self._headers = {"Host": example.host()}
        self._keep = keep
        self._enough = threading.Event()
        self.pages: list[str] = []
        self.lost: list[str] = []

    def run(self) -> None:
        """Ask until it is enough."""
        while not self._enough.is_set():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._example.port, timeout=60)) as one:
                self._ask(one)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            while not self._enough.is_set():
                connection.request("GET", "/", headers=self._headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == http.HTTPStatus.OK:
                    self.pages.append(text)
                else:
                    self.lost.append(f"{answer.status}: {text[:200]}")
                # All apps share the machine with what deploys them.
                self._enough.wait(PAUSE_SECONDS)
                if not self._keep or answer.will_close:
                    return
        except (OSError, http.client.HTTPException) as error:
            self.lost.append(repr(error))

    def wait_for(self, text: str) -> None:
        """Wait until a page has it."""
        until(lambda: any(text in page for page in self.pages[-5:]), f"{self._example.name} shows {text}", 60)

    def stop(self) -> None:
        """End it."""
        self._enough.set()
        self.join()


@contextlib.contextmanager
def visited(examples: Iterable[Example]) -> Iterator[dict[str, list[Visitor]]]:
    """Visit each example until the end of the block, over new and over kept connections."""
    visitors = {example.name: [Visitor(example, keep=keep) for keep in (False, True)] for example in examples}
    everyone = [visitor for each in visitors.values() for visitor in each]
    for visitor in everyone:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in everyone:
            visitor.stop()
