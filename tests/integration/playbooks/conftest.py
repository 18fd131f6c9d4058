"""A laptop and its servers in one directory: real playbooks over local connections, on real git repositories."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.releases.real_procmon import APP, RealProcmon
from tests.support.releases.site import Site, start_module
from tests.support.releases.upstream import Upstream as Remote
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd
from tests.support.terminal import Terminal

Start = Callable[..., Terminal]
ROOT = Path(__file__).parents[3]
GIT = shutil.which("git") or "git"
OLD_PYTHON = """import sys
class Version(tuple):
    major, minor, micro, releaselevel, serial = 3, 8, 18, "final", 0
sys.version_info = Version((3, 8, 18, "final", 0))
"""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, all it printed, and the number of changed tasks by host."""

    code: int
    output: str
    changed: dict[str, int]


class Upstream:
    """A repository that grows by a commit at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "--initial-branch", "main", str(path))

    def git(self, *argv: str) -> str:
        """Run git in it, and give what it prints."""
        path = self.path if self.path.is_dir() else self.path.parent
        author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        return subprocess.check_output([GIT, "-C", str(path), *author, *argv], text=True).strip()

    def commit(self, text: str) -> str:
        """Commit a file that holds `text`, tag it so, and give the commit."""
        (self.path / "page").write_text(text)
        self.git("add", "page")
        self.git("commit", "--quiet", "--message", f"Say {text}")
        self.git("tag", text)
        return self.git("rev-parse", "HEAD")


class Laptop:
    """Runs playbooks as a user types them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventory = folder / "projects.yml"
        self.inventory.write_text("plugin: onetouch.deploy.projects\nprojects:\n")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        # Where uv is: without one, setup would install it each time.
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # Its recap has what changed on each host.
        self.environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"

    def project(self, name: str, repo: object, **settings: object) -> Path:
        """Add a project on this machine, and give its path."""
        path = self.folder / "srv" / name
        lines = {"connection": "local", "python": sys.executable, "repo": repo, "path": path, "ref": "origin/main"}
        text = "".join(f"    {key}: {json.dumps(value, default=str)}\n" for key, value in {**lines, **settings}.items())
        self.inventory.write_text(f"{self.inventory.read_text()}  {name}:\n{text}")
        return path

    def run(self, playbook: str, *arguments: str, cwd: Path = ROOT, extra: Mapping[str, str] | None = None) -> Done:
        """Run a playbook with `extra` variables."""
        process = self.start(playbook, *arguments, cwd=cwd, extra=extra)
        output, errors = process.communicate()
        changed = {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+ +changed=(\d+)", output, re.M)}
        return Done(process.returncode, output + errors, changed)

    def start(
        self, playbook: str, *arguments: str, cwd: Path = ROOT, extra: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start what `run` runs, in a process group of its own, as a shell does."""
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), playbook, *arguments]
        for name, value in {"project_system": "false", **(extra or {})}.items():
            argv += ["-e", f"{name}={value}"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            process_group=0,
        )

    def servers(self, names: str, upstream: Upstream, **settings: str) -> dict[str, Path]:
        """Make the inventory a project `blog` on several servers, each a directory of its own; give their paths."""
        paths = {name: self.folder / "srv" / name for name in names.split()}
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        common |= {"project_name": "blog", "project_ref": "origin/main", "project_repo": str(upstream.path)}
        hosts = {f"blog@{name}": {"project_path": str(path)} for name, path in paths.items()}
        group = {"hosts": hosts, "vars": {**common, **settings}}
        self.inventory = self.folder / "hosts.yml"
        self.inventory.write_text(json.dumps({"all": {"children": {"blog": group}}}))
        return paths


class Servers:
    """Any projects on any servers, all of which are this machine with its sshd."""

    def __init__(self, laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
        self.laptop, self.sshd, self.upstream = laptop, sshd, upstream
        self.hosts: dict[str, dict[str, dict[str, object]]] = {}

    def project(self, name: str, server: str, **changed: object) -> Path:
        """Add a project on a server, and return its path."""
        path = self.laptop.folder / "srv" / name
        login = {"ansible_host": "127.0.0.1", "ansible_port": self.sshd.port, "ansible_user": getpass.getuser()}
        settings = {"project_name": name, "project_path": str(path), "project_repo": str(self.upstream.path)}
        python = {"ansible_python_interpreter": sys.executable, "project_python": sys.executable}
        self.hosts.setdefault(name, {})[f"{name}@{server}"] = {**login, **settings, **python, **changed}
        return path

    def setup(self, *words: str, project: str = "all", **extra: str) -> Done:
        """Run setup for all projects."""
        self.write()
        return self.laptop.run("playbooks/setup.yml", *words, extra={"project": project, **extra})

    def write(self) -> None:
        """Write the inventory."""
        self.laptop.inventory = self.laptop.folder / "hosts.json"
        children = {name: {"hosts": hosts} for name, hosts in self.hosts.items()}
        self.laptop.inventory.write_text(json.dumps({"projects": {"children": children}}))

    def obstacles(self, **extra: str) -> list[str]:
        """Run setup, which must fail before it has changed anything, and return the lines of its message."""
        done = self.setup(**extra)
        assert done.code != 0, done.output
        assert set(done.changed.values()) <= {0}
        text = done.output.partition("Setup cannot begin, and nothing was changed: ")[2].partition("\nOrigin: ")[0]
        assert text, done.output
        lines = [line.strip() for line in text.splitlines() if re.search("@| on ", line.partition(": ")[0])]
        assert f"{len(lines)} obstacle" in text.partition("\n")[0]
        assert not (self.laptop.folder / "srv").exists()
        return lines


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """A repository with one commit, tagged `one`."""
    made = Upstream(tmp_path / "upstream")
    made.commit("one")
    return made


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    """A laptop that knows no project yet."""
    return Laptop(tmp_path)


@pytest.fixture
def sshd(laptop: Laptop, tmp_path: Path) -> Iterator[Sshd]:
    """A server that the laptop can log in to. What is left of their connections ends with it."""
    # Short: the path of a unix socket has room for a hundred bytes.
    with ssh_server(tmp_path / "ssh") as server, tempfile.TemporaryDirectory(prefix="cp") as sockets:
        made = Sshd(server)
        search = f"{made.bin}:{laptop.environment['PATH']}"
        laptop.environment |= {"PATH": search, "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
        yield made
        server.hang_up()


@pytest.fixture
def start(laptop: Laptop) -> Iterator[Start]:
    """Starts a playbook on a terminal."""
    opened: list[Terminal] = []
    environment = {**laptop.environment, "ANSIBLE_STDOUT_CALLBACK": "onetouch.deploy.terminal"}

    def start(playbook: str, *words: str, project: str = "blog", **settings: str) -> Terminal:
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(laptop.inventory)]
        argv += [f"playbooks/{playbook}.yml", "-e", f"project={project}", "-e", "project_system=false", *words]
        opened.append(Terminal(argv, ROOT, {**environment, **settings}))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def over_ssh(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> Callable[..., Path]:
    """Add the project on a server behind ssh, with hooks."""
    login = {"connection": "ssh", "host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser()}
    return lambda **hooks: laptop.project("blog", upstream.path, **login, **hooks)


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """An interpreter that takes itself for Python 3.8."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old/sitecustomize.py").write_text(OLD_PYTHON)
    program = tmp_path / "old/python"
    # Asked what it is, in isolation, it does not read the file above.
    answer = json.dumps({"path": str(program), "version": "3.8", "tag": "cpython-38", "platform": "linux-x86_64"})
    asked = f"test \"$1\" != -I || {{ echo '{answer}'; exit; }}"
    program.write_text(f'#!/bin/sh\n{asked}\nPYTHONPATH={tmp_path}/old exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return program


def slow_hook(tmp_path: Path, then: str = "true") -> str:
    """A hook that writes a line, and waits for the file `go`."""
    wait = f"while ! test -e {tmp_path}/go; do sleep 0.05; done"
    return f"echo collecting 三; {wait}; echo collected; {then}"


def last_outcome(path: Path) -> str:
    """Return how the last attempt ended; nothing before it has."""
    journal = path / ".deploys.jsonl"
    return str(json.loads(journal.read_text().splitlines()[-1])["outcome"]) if journal.exists() else ""


def following(path: Path) -> list[str]:
    """Return the processes that follow the progress of a project."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end in between.
        with suppress(OSError):
            found.append(cmdline.read_bytes().decode("utf-8", "replace"))
    return [line for line in found if f"{path}/.deploy.progress" in line]


@contextmanager
def serving(laptop: Laptop, folder: Path, **settings: object) -> Iterator[Remote]:
    """A project with a real procmon, as setup leaves it; its repository."""
    remote = Remote.make(folder)
    remote.commit("v1", main_py=APP)
    site = Site(folder / "srv" / "blog", remote)
    site.path.parent.mkdir()
    procmon = RealProcmon(site, folder / "state")
    procmon.state.mkdir()
    laptop.project("blog", remote.url, ref="origin/master", **procmon.config(), **settings)
    (folder / "group_vars").mkdir()
    status_file = {"project_status_file": str(procmon.state / "status.json")}
    (folder / "group_vars" / "all.yml").write_text(json.dumps(status_file))
    site.run(state="present")
    options = {"name": "blog", "path": str(site.path), **procmon.options()}
    start_module("project_configuration", options).communicate(timeout=60)
    procmon.start()
    yield remote
    procmon.kill()
