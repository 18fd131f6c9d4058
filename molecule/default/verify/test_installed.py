"""The command `deploy`, installed from its wheel on a laptop that has nothing else: from init to remove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from server import Server
from upstream import Upstream

CHECKOUT = Path(__file__).parents[3]
PORT = 3011
Of = Callable[[str], Upstream]


@dataclass(frozen=True)
class Desk:
    """A directory on the laptop where `deploy` is typed, and its environment."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, code: int = 0) -> str:
        """Type a command, and return what it shows."""
        done = subprocess.run(
            [self.environment["DEPLOY"], *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment of its own, as pipx makes one."""
    folder = tmp_path_factory.mktemp("installed")
    listed = subprocess.run([CHECKOUT / "tools/tree", folder / "tree"], check=True, capture_output=True, text=True)
    tree = listed.stdout.splitlines()[-1]
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([folder / "venv/bin/python", "-m", "pip", "install", "--quiet", tree], check=True)
    return folder / "venv/bin/deploy"


@pytest.fixture
def desk(
    deploy: Path, directory: Path, web1: Server, tmp_path: Path, control_paths: Callable[[], Path]
) -> Iterator[Desk]:
    """A control repository for `wiki` on web1, which `init` has written and a person has filled in."""
    kept = {name: os.environ[name] for name in ("LANG", "PIP_CONFIG_FILE") if name in os.environ}
    environment = {
        **kept,
        "DEPLOY": str(deploy),
        "HOME": str(tmp_path),
        "PATH": f"{deploy.parent}:/usr/bin:/bin",
        # The path of a unix socket must be short, and this home is not.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control_paths()),
    }
    folder = tmp_path / "control"
    assert "control" in Desk(tmp_path, environment).run("init", "control")
    servers = yaml.safe_load((directory / "inventory/projects.yml").read_text())["servers"]
    wiki = {
        "host": "127.0.0.1",
        "repo": "git@upstream:cricket.git",
        "path": "/srv/wiki",
        "ref": "origin/main",
        "app": "main:app",
        "bind": f"127.0.0.1:{PORT}",
        "env": {"COLOUR": "blue"},
    }
    only = {"127.0.0.1": servers["127.0.0.1"]}
    inventory = {"plugin": "onetouch.deploy.projects", "servers": only, "projects": {"wiki": wiki}}
    (folder / "inventory/projects.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    key = json.loads((directory / "servers.json").read_text())["upstream_key"]
    (folder / "inventory/group_vars").mkdir(exist_ok=True)
    ssh = f"-o UserKnownHostsFile={directory}/known_hosts"
    known = {"project_known_hosts": [f"upstream {key}"], "ansible_ssh_common_args": ssh}
    (folder / "inventory/group_vars/projects.yml").write_text(yaml.safe_dump(known))
    yield Desk(folder, environment)
    web1.run("sh", "-c", "systemctl disable --now procmon@wiki.socket procmon@wiki.service || true; rm -rf /srv/wiki")


@pytest.mark.timeout(900)
def test_a_project_from_init_to_remove(desk: Desk, web1: Server, upstream: Of) -> None:
    older = upstream("cricket").publish("wiki one")
    assert "wiki is ready on 127.0.0.1" in desk.run("wiki", "setup")
    assert "is live" in desk.run("wiki")
    assert web1.get(PORT) == "wiki one"
    newer = upstream("cricket").publish("wiki two")
    assert newer[:12] in desk.run("wiki")
    assert web1.get(PORT) == "wiki two"
    shown = desk.run("status")
    assert newer[:12] in shown
    assert "2/2" in shown
    desk.run("wiki", "revert")
    assert web1.get(PORT) == "wiki one"
    shown = desk.run("wiki", "exec", "--", "sh", "-c", 'echo "$COLOUR in $(cat VERSION)"')
    assert "blue in wiki one" in shown
    assert "generation" in desk.run("wiki", "logs", "-n", "200")
    assert older.startswith(desk.run("wiki", "current").split()[0])
    findings = desk.run("wiki", "doctor")
    assert f"ok  answer: 200 on 127.0.0.1:{PORT}" in findings
    assert "  NO  " not in findings
    desk.run("wiki", "remove", "--yes")
    assert web1.run("sh", "-c", "ls /etc/procmon/wiki.toml /run/procmon/wiki 2>/dev/null; true") == ""
    assert web1.run("sh", "-c", "systemctl is-active procmon@wiki.socket procmon@wiki.service || true").split() == [
        "inactive",
        "inactive",
    ]
    assert web1.run("cat", "/srv/wiki/current/VERSION") == "wiki one", "what is the project's own stays"
    desk.run("wiki", "remove", "--yes", "--data")
    assert web1.run("sh", "-c", "ls -d /srv/wiki 2>/dev/null; true") == ""
    # Nothing is left to remove, and that is no failure.
    desk.run("wiki", "remove", "--yes", "--data")
