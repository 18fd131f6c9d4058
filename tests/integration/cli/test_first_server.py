# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/first-server.md, typed as it stands: its app, its projects.yml and its commands, on a server with a real sshd.

Only what a reader would replace is replaced: names, addresses and the key. Without root there is no systemd, so that
procmon is started by hand where systemd would.
"""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
import yaml

from tests.integration.cli.conftest import ROOT, Desk
from tests.integration.playbooks.conftest import Upstream
from tests.support.documents import blocks, commands
from tests.support.example_apps import wheels
from tests.support.ports import free_port
from tests.support.sshd import Sshd
from tests.support.waiting import until

PAGE = Path("docs/first-server.md")
# What each command has to show.
SHOWN = {
    "init deploys": "is a control repository",
    "blog config": "app main:app",
    "blog setup": "blog is ready on",
    "blog": "is live",
    "blog exec curl -s http://127.0.0.1:3001/": '{"hello":"world"}',
    "status": "Say hello",
    "blog revert": "is live",
    "blog list": "\n",
}

pytestmark = pytest.mark.timeout(600)


class Reader:
    """Who follows the page: at a desk, with an app and a server."""

    def __init__(self, desk: Desk, upstream: Upstream, sshd: Sshd) -> None:
        self.desk, self.upstream, self.sshd = desk, upstream, sshd
        self.page = [*blocks(ROOT, PAGE)]
        self.home = desk.folder / "procmon"
        self.port = free_port()
        self.procmon: subprocess.Popen[bytes] | None = None

    def typed(self) -> list[list[str]]:
        """Return the words of each `deploy` on the page, in their order."""
        every = [command.words for block in self.page if block.is_shell for command in commands(block)]
        return [[*words[1:]] for words in every if words[0] == "deploy"]

    def file(self, name: str) -> str:
        """Return a file that the page shows, whose first line names it."""
        [found] = [block.text for block in self.page if block.text.startswith(f"# {name}\n")]
        return found

    def write_app(self) -> None:
        """Commit the app of the page."""
        for name in ("main.py", "requirements.txt"):
            (self.upstream.path / name).write_text(self.file(name))
        self.upstream.git("add", "--all")
        self.upstream.git("commit", "--quiet", "--message", "Say hello")

    def describe(self, control: Path) -> None:
        """Write the projects.yml of the page, with this machine in the place of example.org."""
        [block] = [block for block in self.page if block.text.startswith("plugin:")]
        shown = yaml.safe_load(block.text)
        [server] = shown["servers"].values()
        del server["admin"]
        server |= {"host": "127.0.0.1", "port": self.sshd.port, "user": getpass.getuser(), "python": sys.executable}
        own = {"repo": str(self.upstream.path), "path": str(self.desk.folder / "srv/blog"), "index": str(wheels())}
        shown["projects"]["blog"] |= {**own, "bind": f"127.0.0.1:{self.port}"}
        (control / "inventory/projects.yml").write_text(f"plugin: {shown.pop('plugin')}\n{yaml.safe_dump(shown)}")
        (control / "inventory/group_vars").mkdir()
        (control / "inventory/group_vars/projects.yml").write_text(json.dumps(self.places()))

    def places(self) -> dict[str, object]:
        """Return where everything is without root."""
        names = {"home": self.home, "config_dir": self.home / "etc", "state_dir": self.home / "state"}
        found = {f"supervisor_{name}": str(path) for name, path in names.items()}
        own = {"supervisor_systemd": False, "supervisor_python": sys.executable, "project_system": False}
        return {**found, **own, "project_status_file": str(self.home / "state/status.json")}

    def start_procmon(self) -> None:
        """Start the procmon that setup has installed."""
        argv = [str(self.home / "current/venv/bin/procmon"), "run", str(self.home / "etc/blog.toml")]
        self.procmon = subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL)
        until((self.home / "state/status.json").exists, "procmon reports", 60)

    def type(self, words: list[str]) -> str:
        """Type a command of the page in the control repository, and return what it shows."""
        started = words[0] == "init"
        control = self.desk.folder / "deploys"
        own = [word.replace("127.0.0.1:3001", f"127.0.0.1:{self.port}") for word in words]
        done = self.desk.deploy(*own, cwd=self.desk.folder if started else control)
        assert done.code == 0, f"{words}: {done.out}{done.err}"
        if started:
            self.describe(control)
        if words == ["blog", "setup"]:
            self.start_procmon()
        return done.out


@pytest.fixture
def reader(desk: Desk, upstream: Upstream, sshd: Sshd) -> Iterator[Reader]:
    """A reader of the page; on the server there is uv, which setup need not fetch."""
    (sshd.server.home / "account/bin").mkdir(exist_ok=True)
    (sshd.server.home / "account/bin/uv").symlink_to(uv.find_uv_bin())
    made = Reader(desk, upstream, sshd)
    made.write_app()
    yield made
    if made.procmon:
        made.procmon.terminate()
        made.procmon.wait()


def test_the_page_leads_from_nothing_to_a_live_app_and_back(reader: Reader) -> None:
    typed = reader.typed()
    assert {" ".join(words) for words in typed} == {*SHOWN}
    for words in typed:
        if words == ["blog", "revert"]:
            reader.upstream.commit("two")
            assert "is live" in reader.type(["blog"])
        shown = reader.type(words)
        assert SHOWN[" ".join(words)] in shown, f"{words}: {shown}"
    assert len(reader.type(["blog", "list"]).split()) == 3
