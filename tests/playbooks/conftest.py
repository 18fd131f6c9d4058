"""A laptop and its servers in one directory: real playbooks over local connections, on real git repositories."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = shutil.which("git") or "git"


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

    def project(self, name: str, repo: Path, **settings: str) -> Path:
        """Add a project on this machine, and give its path."""
        path = self.folder / "srv" / name
        lines = {"connection": "local", "python": sys.executable, "repo": repo, "path": path, "ref": "origin/main"}
        text = "".join(f"    {key}: {value}\n" for key, value in {**lines, **settings}.items())
        self.inventory.write_text(f"{self.inventory.read_text()}  {name}:\n{text}")
        return path

    def run(self, playbook: str, *arguments: str, cwd: Path = ROOT, extra: Mapping[str, str] | None = None) -> Done:
        """Run a playbook with `extra` variables."""
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), playbook, *arguments]
        for name, value in {"project_system": "false", **(extra or {})}.items():
            argv += ["-e", f"{name}={value}"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        changed = {
            host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+ +changed=(\d+)", done.stdout, re.M)
        }
        return Done(done.returncode, done.stdout + done.stderr, changed)

    def servers(self, names: str, upstream: Upstream, **settings: str) -> dict[str, Path]:
        """Let the inventory be a project `blog` on several servers, each a directory of its own; give their paths."""
        paths = {name: self.folder / "srv" / name for name in names.split()}
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        common |= {"project_name": "blog", "project_ref": "origin/main", "project_repo": str(upstream.path)}
        hosts = {f"blog@{name}": {"project_path": str(path)} for name, path in paths.items()}
        group = {"hosts": hosts, "vars": {**common, **settings}}
        self.inventory = self.folder / "hosts.yml"
        self.inventory.write_text(json.dumps({"all": {"children": {"blog": group}}}))
        return paths


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
