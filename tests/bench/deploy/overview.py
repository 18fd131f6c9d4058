"""What `status` costs: six projects, each on two servers, beside plays with `ping` on one host and on as many."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.deploy.proxy import Line
from tests.bench.deploy.repository import Repository
from tests.bench.deploy.tools import HOOK, ROOT, Place, Playbooks
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd

FILES = 30
PROJECTS = 6
SERVERS = 2
# name of what is compared -> what it does
Ways = dict[str, Callable[[], None]]


class Overview(Playbooks):
    """This collection: two lines to one sshd are two servers, each project has one tree on that machine."""

    ports: Sequence[int] = ()

    def set_up(self) -> None:
        place = self.place
        place.folder.mkdir(parents=True)
        names = [f"web{number}" for number, _ in enumerate(self.ports)]
        logins = [{"host": "127.0.0.1", "port": port, "user": self.user} for port in self.ports]
        servers = dict(zip(names, logins, strict=True))
        one = {"hosts": names, "repo": str(place.repository.url), "ref": "origin/master", "post_deploy": HOOK}
        projects = {name: {**one, "path": str(place.path(name))} for name in place.names}
        inventory = f"servers: {json.dumps(servers)}\nprojects: {json.dumps(projects)}\n"
        (place.folder / "projects.yml").write_text(f"plugin: onetouch.deploy.projects\n{inventory}")
        for name, hosts in {"one": f"{place.names[0]}[0]", "all": "all"}.items():
            play = {"hosts": hosts, "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
            (place.folder / f"ping-{name}.yml").write_text(json.dumps([play]))

    def deploy(self) -> None:
        """Deploy on one server: the other one has the same trees."""
        self._on_one_server("deploy")

    def revert(self) -> None:
        self._on_one_server("revert")

    def ways(self) -> Ways:
        """Return what is compared."""
        folder = self.place.folder
        return {
            "ping, one host": lambda: self._play(folder / "ping-one.yml"),
            "ping, every project on every server": lambda: self._play(folder / "ping-all.yml"),
            "ansible-playbook status.yml": lambda: self._play(ROOT / "playbooks/status.yml"),
            "deploy status": self._type_status,
        }

    def _on_one_server(self, name: str) -> None:
        self._play(ROOT / f"playbooks/{name}.yml", "-e", "project=all", "--limit", "*@web0")

    def _play(self, playbook: Path, *words: str) -> None:
        self.play(str(playbook), "-i", str(self.place.folder / "projects.yml"), *words)

    def _type_status(self) -> None:
        """Type the command, which opens its own shared connections before Ansible has started."""
        paths = f"{ROOT / 'src'}:{ROOT / 'collections'}"
        with tempfile.TemporaryDirectory(prefix="cp") as sockets:
            own = {"ANSIBLE_SSH_CONTROL_PATH_DIR": sockets, "PYTHONPATH": paths}
            self.call([sys.executable, "-m", "onetouch_deploy", "status"], self.place.folder, **own)
            for socket in Path(sockets).iterdir():
                self.call(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"], ROOT)


def prepared(stack: ExitStack, delay: int) -> Overview:
    """Return six projects that are live on both servers, behind lines with a delay in ms."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-status-")))
    sshd = Sshd(stack.enter_context(ssh_server(folder / "sshd")))
    found = Overview(Place(folder / "status", sshd, sshd.port, Repository(folder / "remote", FILES), PROJECTS), Path())
    found.ports = [stack.enter_context(Line(sshd.port, delay / 1000)).port for _ in range(SERVERS)]
    found.set_up()
    found.deploy()
    return found
