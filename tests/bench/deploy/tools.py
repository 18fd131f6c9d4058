"""The tools that are compared: each sets up its own trees on the server, deploys all projects, and reverts them."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.deploy.repository import Repository
from tests.support.sshd import Sshd, program

ROOT = Path(__file__).parents[3]
HOOK = "touch restart"


@dataclass(frozen=True)
class Place:
    """Where a tool works: its folder, the server, the port of the delayed line to it, what is deployed how often."""

    folder: Path
    sshd: Sshd
    port: int
    repository: Repository
    projects: int

    @property
    def names(self) -> list[str]:
        """The projects' names."""
        return [f"p{number:02}" for number in range(self.projects)]

    def path(self, name: str) -> Path:
        """Where a project is on the server."""
        return self.folder / "server" / name


class Tool(ABC):
    """One way to deploy."""

    def __init__(self, place: Place, source: Path) -> None:
        self.place, self.source = place, source
        self.user = getpass.getuser()

    @abstractmethod
    def set_up(self) -> None:
        """Make what has to be there before the first deploy."""

    @abstractmethod
    def deploy(self) -> None:
        """Deploy the newest commit to every project, from cold."""

    @abstractmethod
    def revert(self) -> None:
        """Take every project one deploy back, from cold."""

    def call(self, argv: Iterable[str], cwd: Path, **extra: str) -> None:
        """Run a command as a person would. SystemExit with its output when it fails."""
        environment = {**os.environ, "PATH": f"{self.place.sshd.bin}:{os.environ['PATH']}", **extra}
        done = subprocess.run(
            [*argv], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"bench-deploy: {' '.join(argv)} failed:\n{done.stdout}{done.stderr}")


class Playbooks(Tool):
    """What Ansible runs, each time with no connection open."""

    def play(self, *words: str, **extra: str) -> None:
        """Run ansible-playbook and close the shared connections that it leaves."""
        # Short: the path of a unix socket has room for a hundred bytes.
        with tempfile.TemporaryDirectory(prefix="cp") as sockets:
            argv = [str(Path(sys.executable).with_name("ansible-playbook")), *words]
            self.call(
                argv, ROOT, ANSIBLE_SSH_CONTROL_PATH_DIR=sockets, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), **extra
            )
            for socket in Path(sockets).iterdir():
                self.call(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"], ROOT)


class Ours(Playbooks):
    """This collection, when enough releases are there that one is to be pruned."""

    keep = 2

    def set_up(self) -> None:
        place = self.place
        one = {"host": "box", "repo": str(place.repository.url), "ref": "origin/master", "post_deploy": HOOK}
        projects = {name: {**one, "path": str(place.path(name)), "keep": self.keep} for name in place.names}
        servers = {"box": {"host": "127.0.0.1", "port": place.port, "user": self.user}}
        place.folder.mkdir(parents=True, exist_ok=True)
        inventory = f"servers: {json.dumps(servers)}\nprojects: {json.dumps(projects)}\n"
        (place.folder / "projects.yml").write_text(f"plugin: onetouch.deploy.projects\n{inventory}")

    def deploy(self) -> None:
        self._run("deploy")

    def revert(self) -> None:
        self._run("revert")

    def _run(self, playbook: str) -> None:
        inventory = str(self.place.folder / "projects.yml")
        self.play(str(ROOT / "playbooks" / f"{playbook}.yml"), "-i", inventory, "-e", "project=all")


class Ping(Ours):
    """A play with the module `ping` alone, on the same hosts: what Ansible and ssh take."""

    def set_up(self) -> None:
        super().set_up()
        play = {"hosts": self.place.names, "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
        (self.place.folder / "ping.yml").write_text(json.dumps([play]))

    def _run(self, playbook: str) -> None:
        del playbook
        self.play(str(self.place.folder / "ping.yml"), "-i", str(self.place.folder / "projects.yml"))


class OursFresh(Ours):
    """This collection, while there are fewer releases than it keeps."""

    keep = 1000


class Original(Tool):
    """The bash script, one project after the other."""

    def set_up(self) -> None:
        place = self.place
        (place.folder / "server").mkdir(parents=True, exist_ok=True)
        (place.folder / "deploy.conf").write_text("\n".join(map(self._section, place.names)))
        for name in place.names:
            self._run(name, "setup")

    def deploy(self) -> None:
        for name in self.place.names:
            self._run(name)

    def revert(self) -> None:
        for name in self.place.names:
            self._run(name, "revert")

    def _run(self, *words: str) -> None:
        # It looks for unpushed work in the current directory.
        self.call(
            [program("bash"), str(self.source), "-c", str(self.place.folder / "deploy.conf"), *words],
            self.place.repository.work,
        )

    def _section(self, name: str) -> str:
        place = self.place
        keys = {
            "user": self.user,
            "host": "127.0.0.1",
            "port": place.port,
            "repo": place.repository.url,
            "path": place.path(name),
            "ref": "origin/master",
            "post-deploy": HOOK,
        }
        # It reads twenty lines after the head, whatever they are.
        return "\n".join([f"[{name}]", *(f"{key} {value}" for key, value in keys.items()), *[""] * 20])


class Ansistrano(Playbooks):
    """The roles ansistrano.deploy and ansistrano.rollback below a directory, without facts and statistics."""

    def set_up(self) -> None:
        place = self.place
        login = {"ansible_host": "127.0.0.1", "ansible_port": place.port, "ansible_user": self.user}
        hosts = {name: {**login, "ansistrano_deploy_to": str(place.path(name))} for name in place.names}
        settings = {
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansistrano_deploy_via": "git",
            "ansistrano_git_repo": str(place.repository.url),
            "ansistrano_git_branch": "master",
            "ansistrano_keep_releases": 5,
            "ansistrano_allow_anonymous_stats": False,
        }
        (place.folder / "server").mkdir(parents=True, exist_ok=True)
        (place.folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": settings}}))
        for role in ("deploy", "rollback"):
            play = {"hosts": "all", "gather_facts": False, "roles": [f"ansistrano.{role}"]}
            (place.folder / f"{role}.yml").write_text(json.dumps([play]))

    def deploy(self) -> None:
        self._run("deploy")

    def revert(self) -> None:
        self._run("rollback")

    def _run(self, name: str) -> None:
        folder = self.place.folder
        inventory = ("-i", str(folder / "hosts.yml"))
        self.play(str(folder / f"{name}.yml"), *inventory, ANSIBLE_ROLES_PATH=str(self.source))
