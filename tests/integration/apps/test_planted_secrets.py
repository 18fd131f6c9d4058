"""Secrets that are planted in every place that may have one are found nowhere else afterwards.

One app is set up, deployed, previewed and broken in every way that shows a lot: with -vvv, --diff, --check, as JSON and
from Python. Then all output, all files of laptop and server, and the arguments of all processes meanwhile are searched.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uv

from tests.integration.playbooks.conftest import ROOT, Laptop, Upstream
from tests.support.example_apps import wheels
from tests.support.installed_procmon import start_procmon, write_places
from tests.support.package_index import Index, package_index
from tests.support.ports import free_port
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(600)

APP = """
import os
assert os.environ["PLAIN"] and os.environ["VAULTED"]
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""
# A hook that needs both, and writes neither.
HOOK = 'test -n "$PLAIN" && test -n "$VAULTED" && echo checked'
PYTHON_API = """
import sys, onetouch_deploy
done = onetouch_deploy.run("deploy", "blog", config=sys.argv[1], on_output=print, force=True)
print(done)
sys.exit(0 if done.ok else 3)
"""


@dataclass
class Watch(threading.Thread):
    """Looks at the arguments of all processes again and again; `seen` has those with a secret."""

    planted: dict[str, str]
    seen: dict[str, set[str]] = field(default_factory=dict)
    looks: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._enough = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Look until it is enough."""
        while not self._enough.wait(0.02):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                self._look(path)

    def _look(self, path: Path) -> None:
        try:
            text = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            # The process has ended since.
            return
        for name, secret in self.planted.items():
            if secret in text:
                self.seen.setdefault(name, set()).add(text)

    def stop(self) -> None:
        """End it."""
        self._enough.set()
        self.join()


@dataclass
class Place:
    """A laptop, a server, an upstream and an index, each with its secret; what each run has printed."""

    folder: Path
    laptop: Laptop
    upstream: Upstream
    planted: dict[str, str]
    watch: Watch
    outputs: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the app is deployed."""
        return self.folder / "srv/blog"

    def playbook(self, title: str, name: str, *words: str, project: str = "blog") -> None:
        """Run a playbook and keep what it prints."""
        done = self.laptop.run(f"playbooks/{name}.yml", "-vvv", "--diff", *words, extra={"project": project})
        self.outputs[title], self.codes[title] = done.output, done.code

    def command(self, title: str, *argv: str) -> None:
        """Run a command of Python's and keep what it prints."""
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=self.folder / "laptop",
            env=self.laptop.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.outputs[title], self.codes[title] = done.stdout + done.stderr, done.returncode

    def commit(self, main: str, requirements: str = "uvicorn==0.54.0\n") -> None:
        """Commit an app, and have the server of the repository serve it."""
        (self.upstream.path / "main.py").write_text(main)
        (self.upstream.path / "requirements.txt").write_text(requirements)
        self.upstream.git("add", "--all")
        self.upstream.git("commit", "--quiet", "--message", "another app")
        self.upstream.git("update-server-info")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All runs, one after the other."""
    folder = tmp_path_factory.mktemp("secrets")
    with ExitStack() as ends:
        made = build(folder, ends)
        made.watch.start()
        ends.callback(made.watch.stop)
        play(made, ends)
        made.watch.stop()
        yield made


def build(folder: Path, ends: ExitStack) -> Place:
    """Make laptop, server, upstream and index."""
    (folder / "laptop/tmp").mkdir(parents=True)
    (folder / "web").mkdir()
    laptop = Laptop(folder / "laptop")
    laptop.folder = folder
    upstream = Upstream(folder / "web/repo")
    (folder / "web/repo.git").symlink_to("repo/.git")
    repo, index = (ends.enter_context(package_index(place)) for place in (folder / "web", packages(folder)))
    planted = {
        "plain": f"plain-{secrets.token_hex(8)}",
        "vaulted": f"vaulted-{secrets.token_hex(8)}",
        "token": repo.password,
        "index": index.password,
        "vault": f"vault-{secrets.token_hex(8)}",
    }
    server = ends.enter_context(ssh_server(folder / "ssh"))
    sockets = ends.enter_context(tempfile.TemporaryDirectory(prefix="cp"))
    sshd = Sshd(server)
    ends.callback(server.hang_up)
    (server.home / "account/bin").mkdir()
    (server.home / "account/bin/uv").symlink_to(uv.find_uv_bin())
    word = folder / "laptop/vault-password"
    word.write_text(planted["vault"])
    word.chmod(0o600)
    kept = {name: value for name, value in laptop.environment.items() if not name.startswith(("PIP_", "UV_"))}
    laptop.environment = {
        **kept,
        "PATH": f"{sshd.bin}:{kept['PATH']}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(word),
        "TMPDIR": str(folder / "laptop/tmp"),
        "HOME": str(folder / "laptop"),
        "NO_PROXY": "127.0.0.1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'collections'}",
    }
    place = Place(folder, laptop, upstream, planted, Watch(planted))
    place.commit(APP)
    write_projects(place, sshd, repo, index)
    return place


def packages(folder: Path) -> Path:
    """Make an index of the packages that procmon and the app need."""
    for wheel in wheels().iterdir():
        directory = folder / "index/simple" / wheel.name.partition("-")[0].lower().replace("_", "-")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / wheel.name).symlink_to(wheel)
    return folder / "index"


def write_projects(place: Place, sshd: Sshd, repo: Index, index: Index) -> None:
    """Write projects.yml: `blog`, and `gone`, whose repository is not there."""
    argv = [str(Path(sys.executable).parent / "ansible-vault"), "encrypt_string", "--stdin-name", "VAULTED"]
    vaulted = subprocess.run(
        argv,
        input=place.planted["vaulted"],
        env=place.laptop.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    common = {"host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser(), "python": sys.executable}
    common |= {"ref": "origin/main", "index": index.address, "heartbeat": {"interval": 0}, "pre_deploy": HOOK}
    lines = ["plugin: onetouch.deploy.projects", "projects:"]
    for name, file in (("blog", "repo.git"), ("gone", "nowhere.git")):
        address = f"http://me:{repo.password}@127.0.0.1:{repo.server_port}/{file}"
        section = {**common, "repo": address, "path": str(place.folder / "srv" / name)}
        section |= {"app": "main:app", "bind": f"127.0.0.1:{free_port()}"}
        lines += [f"  {name}:", *(f"    {key}: {json.dumps(value)}" for key, value in section.items())]
        lines += ["    env:", f"      PLAIN: {place.planted['plain']}"]
        lines += [f"      {line}" for line in vaulted.splitlines() if line]
    place.laptop.inventory = place.folder / "laptop/projects.yml"
    place.laptop.inventory.write_text("\n".join(lines) + "\n")
    place.laptop.inventory.chmod(0o600)
    write_places(place.folder)
    (place.folder / "group_vars").rename(place.folder / "laptop/group_vars")


def play(place: Place, ends: ExitStack) -> None:
    """Run everything."""
    deploy = ("-m", "onetouch_deploy", "--config", str(place.laptop.inventory))
    place.playbook("setup in check mode", "setup", "--check")
    place.playbook("setup", "setup")
    assert place.codes["setup"] == 0, place.outputs["setup"]
    start_procmon(place.folder, "blog", ends)
    place.playbook("deploy in check mode", "deploy", "--check")
    place.playbook("deploy", "deploy")
    assert place.codes["deploy"] == 0, place.outputs["deploy"]
    place.playbook("setup that fails", "setup", project="gone")
    place.command("from Python", "-c", PYTHON_API, str(place.laptop.inventory))
    place.playbook("status", "status")
    place.commit(f"{APP}\nimport a_module_that_is_nowhere\n")
    place.playbook("deploy that fails", "deploy")
    place.command("deploy that fails, as JSON", *deploy, "blog", "--json")
    place.command("from Python, failing", "-c", PYTHON_API, str(place.laptop.inventory))
    place.commit(APP, "uvicorn==0.54.0\na-package-that-is-nowhere==1\n")
    place.playbook("requirements that fail", "deploy")


ENDS_WELL = {"setup", "deploy in check mode", "deploy", "from Python", "status"}


def test_the_runs_have_ended_as_they_should(place: Place) -> None:
    """Otherwise there would be nothing to search."""
    wrong = {title: code for title, code in place.codes.items() if (code == 0) != (title in ENDS_WELL)}
    assert {*wrong} <= {"setup in check mode"}, {title: place.outputs[title][-2000:] for title in wrong}
    assert "a_module_that_is_nowhere" in place.outputs["deploy that fails"]
    assert "a_module_that_is_nowhere" in place.outputs["deploy that fails, as JSON"]
    assert "a-package-that-is-nowhere" in place.outputs["requirements that fail"]
    assert "checked" in (place.path / "shared/logs/deploy.log").read_text()


def test_no_output_has_a_secret(place: Place) -> None:
    found = [
        (title, name, line[:300].replace(secret, f"<{name}>"))
        for title, text in place.outputs.items()
        for line in text.splitlines()
        for name, secret in place.planted.items()
        if secret in line
    ]
    assert found == []


def test_no_process_has_a_secret_as_an_argument(place: Place) -> None:
    """But for git, which gets an address and passes it to its helper: the documents recommend a deploy key."""
    assert place.watch.looks > len(place.outputs)
    assert {*place.watch.seen} <= {"token"}
    programs = {Path(text.split(" ")[0]).name for text in place.watch.seen.get("token", ())}
    assert programs <= {"git", "git-remote-http"}


def may_have(place: Place, path: Path) -> bool:
    """Return whether a file is one of those that the documents name."""
    relative = path.relative_to(place.folder)
    written_by_hand = {Path("laptop/projects.yml"), Path("laptop/vault-password")}
    parts = relative.parts
    return (
        relative in written_by_hand
        or (parts[:3] == ("srv", "blog", "configs") and path.name == "procmon.env")
        or (parts[0] == "srv" and parts[2:] == ("source", ".git", "config"))
    )


def test_only_the_files_that_the_documents_name_have_a_secret(place: Place) -> None:
    """On the laptop with its TMPDIR and on the server with its home: and no one else can read them."""
    found: dict[Path, list[str]] = {}
    for directory, _names, files in os.walk(place.folder):
        for path in (Path(directory) / file for file in files):
            if path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes()
            if named := [name for name, secret in place.planted.items() if secret.encode() in content]:
                found[path] = named
    assert {path: named for path, named in found.items() if not may_have(place, path)} == {}
    assert {path for path in found if path.stat().st_mode & 0o077} == set()
    names = {path.name for path in found}
    assert names == {"projects.yml", "vault-password", "procmon.env", "config"}, "what is searched for is there"


def test_nothing_is_left_in_the_directory_of_temporary_files(place: Place) -> None:
    left = [path for path in (place.folder / "laptop/tmp").rglob("*") if path.is_file()]
    assert left == []
