"""The laptop, the servers and the git server that the scenario has prepared; its directory is in SERVERS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
import yaml
from command import Laptop
from server import Server
from upstream import Upstream

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def directory() -> Path:
    """What the scenario wrote down."""
    return Path(os.environ["SERVERS"])


@pytest.fixture(scope="session")
def servers(directory: Path) -> list[Server]:
    """web1, which also plays the git server, and web2."""
    known = json.loads((directory / "servers.json").read_text())
    return [Server(container) for container in known["containers"]]


@pytest.fixture(scope="session")
def web1(servers: list[Server]) -> Server:
    """The server of all projects."""
    return servers[0]


@pytest.fixture(scope="session")
def web2(servers: list[Server]) -> Server:
    """The second server of shop."""
    return servers[1]


@pytest.fixture(scope="session")
def control_paths() -> Iterator[Callable[[], Path]]:
    """Makes directories for ssh's shared connections, which end with the session. A socket's path must be short."""
    with TemporaryDirectory(prefix="cp") as base:
        yield lambda: Path(mkdtemp(dir=base))
        for socket in Path(base).glob("*/*"):
            subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"], check=True, capture_output=True)


@pytest.fixture
def cold_laptop(laptop: Laptop, control_paths: Callable[[], Path]) -> Laptop:
    """The same with no connection open."""
    return replace(laptop, environment=laptop.environment | {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(control_paths())})


@pytest.fixture(scope="session")
def laptop(directory: Path, control_paths: Callable[[], Path]) -> Laptop:
    """The checkout with its own ansible.cfg, and the servers' host keys known."""
    environment = dict(os.environ) | {
        # Its recap has what changed on each host.
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={directory}/known_hosts",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control_paths()),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    key = json.loads((directory / "servers.json").read_text())["upstream_key"]
    return Laptop(CHECKOUT, directory / "inventory" / "projects.yml", environment, key)


@pytest.fixture(scope="session")
def upstream(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Upstream]:
    """The developer's clone of a project, by name."""
    configured = yaml.safe_load((directory / "inventory" / "projects.yml").read_text())
    port = configured["servers"]["127.0.0.1"]["port"]
    ssh = f"ssh -i {directory}/setup/laptop -o UserKnownHostsFile={directory}/known_hosts"

    @cache
    def clone(project: str) -> Upstream:
        url = f"ssh://git@127.0.0.1:{port}/home/git/{project}.git"
        return Upstream.of(url, tmp_path_factory.mktemp("clone") / project, ssh)

    return clone
