"""The command as a user types it, in a directory with a projects.yml, on real repositories and a real sshd."""

from __future__ import annotations

import getpass
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Upstream
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd

SETSID = shutil.which("setsid") or "setsid"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Terminal:
    """A command on a terminal of its own, as a shell starts it: the terminal controls its session."""

    def __init__(self, desk: Desk, argv: Sequence[str], **environment: str) -> None:
        self.leader, follower = pty.openpty()
        self.screen = ""
        self.process = subprocess.Popen(
            [SETSID, "--ctty", "--wait", *argv],
            cwd=desk.folder,
            env={**desk.environment, **environment},
            stdin=follower,
            stdout=follower,
            stderr=follower,
        )
        os.close(follower)
        desk.terminals.append(self)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self.leader, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until the screen has shown a text."""
        while text not in self.screen:
            self.screen += os.read(self.leader, 4096).decode(errors="replace")

    def answer(self, text: str, shows: str) -> None:
        """Type an answer until the screen shows that it was read: Ansible drops what is typed before it listens."""
        while shows not in self.screen:
            if not select.select([self.leader], [], [], 1)[0]:
                self.type(text)
                continue
            self.screen += os.read(self.leader, 4096).decode(errors="replace")

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        # Once the last process of a terminal has ended, reading fails.
        with suppress(OSError):
            while piece := os.read(self.leader, 4096):
                self.screen += piece.decode(errors="replace")
        os.close(self.leader)
        return self.process.wait()

    def hang_up(self) -> None:
        """End what a failed test has left running."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Desk:
    """A directory with a projects.yml, in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "projects.yml"
        self.projects: dict[str, dict[str, object]] = {}
        self.terminals: list[Terminal] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own = {
            # The collection and the package of this checkout, in the place of an installed wheel.
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'collections'}",
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        # What a script reads; the callback of ours has tests of its own.
        own["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
        self.environment = {**kept, **own}
        (folder / "home").mkdir()

    def project(self, name: str, upstream: Upstream, **settings: object) -> Path:
        """Add a project on this machine, and return its path."""
        path = self.folder / "srv" / name
        lines = {"connection": "local", "python": sys.executable, "repo": str(upstream.path), "path": str(path)}
        self.projects[name] = {key: value for key, value in {**lines, **settings}.items() if value is not None}
        # JSON is YAML, but for the first line, by which Ansible knows the file.
        text = json.dumps(self.projects, default=str)
        self.config.write_text(f"plugin: onetouch.deploy.projects\nprojects: {text}\n")
        return path

    def argv(self, *words: str) -> list[str]:
        """Return the command with these words."""
        return [sys.executable, "-m", "onetouch_deploy", *words]

    def deploy(self, *words: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> Done:
        """Type the command with these words."""
        done = subprocess.run(
            self.argv(*words),
            cwd=cwd or self.folder,
            env={**self.environment, **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """A repository with one commit, tagged `one`."""
    made = Upstream(tmp_path / "upstream")
    made.commit("one")
    return made


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A directory that knows no project yet."""
    folder = tmp_path / "desk"
    folder.mkdir()
    made = Desk(folder)
    yield made
    for terminal in made.terminals:
        terminal.hang_up()


@contextmanager
def serving(desk: Desk, folder: Path) -> Iterator[Sshd]:
    """Run a server that the desk can log in to."""
    # Short: the path of a unix socket has room for a hundred bytes.
    with ssh_server(folder) as server, tempfile.TemporaryDirectory(prefix="cp") as sockets:
        made = Sshd(server)
        search = f"{made.bin}:{desk.environment['PATH']}"
        desk.environment |= {"PATH": search, "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
        yield made
        server.hang_up()


@pytest.fixture
def sshd(desk: Desk, tmp_path: Path) -> Iterator[Sshd]:
    """A server that the desk can log in to."""
    with serving(desk, tmp_path / "ssh") as made:
        yield made


def over_ssh(sshd: Sshd, *hosts: str) -> dict[str, object]:
    """Return the settings of a project that is reached by ssh, on 127.0.0.1 or on 127.0.0.2 as well."""
    where: dict[str, object] = {"hosts": [*hosts]} if len(hosts) > 1 else {"host": (hosts or ("127.0.0.1",))[0]}
    return {"connection": None, "port": sshd.port, "user": getpass.getuser(), **where}


@dataclass(frozen=True)
class Site:
    """A project that is live behind ssh, and a directory in which all temporary files are made."""

    desk: Desk
    sshd: Sshd
    upstream: Upstream
    path: Path
    temporary: Path

    def leftovers(self) -> list[str]:
        return [file.name for file in self.temporary.iterdir()]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One deploy for all tests of a file that change nothing of it."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("desk", "temporary"):
        (folder / name).mkdir()
    desk, upstream, temporary = Desk(folder / "desk"), Upstream(folder / "upstream"), folder / "temporary"
    upstream.commit("one")
    # As people and setup write it.
    variables = folder / "env"
    variables.write_text('SECRET="s3cret\\n"\nPLAIN=x y\n')
    variables.chmod(0o600)
    # The system's Python has no Ansible, as on a server.
    own = {"python": "/usr/bin/python3", "env_file": str(variables)}
    with serving(desk, folder / "ssh") as sshd:
        path = desk.project("blog", upstream, ref="origin/main", **own, **over_ssh(sshd))
        done = desk.deploy("blog")
        assert done.code == 0, done.out
        desk.environment |= {"TMPDIR": str(temporary), "ANSIBLE_LOCAL_TEMP": str(temporary)}
        yield Site(desk, sshd, upstream, path, temporary)
        for terminal in desk.terminals:
            terminal.hang_up()


@pytest.fixture
def temporary(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For a program that calls the package: the desk's environment in this process, and a TMPDIR for it.

    Nothing may be left in it. A fixture that changes the environment of the desk has to come before.
    """
    folder = desk.folder / "tmp"
    folder.mkdir()
    desk.environment["TMPDIR"] = str(folder)
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", None)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield folder
    assert [*folder.iterdir()] == []
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [thread for thread in threading.enumerate() if thread.name.startswith("onetouch_deploy")] == []
