"""The README's own sample on a fresh server: root logs in, `user` does not exist yet, and no `key` is configured.

The server is this machine with users of its own and a real sshd.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Done, Laptop
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.ssh_server import EMPTY, KEYGEN, SSH, SSHD, make_key
from tests.support.waiting import until

CONFIG = """ListenAddress 127.0.0.1:{port}
HostKey {home}/host
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel VERBOSE
SetEnv PATH=/home/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
LAPTOP = '#!/bin/sh\nexec {ssh} -F none -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile={known} "$@"\n'
PREPARE = """
cp {key}.pub /root/.ssh/authorized_keys
git config --file /etc/gitconfig safe.directory '*'
git init --quiet --initial-branch main /home/public
cd /home/public
git -c user.name=me -c user.email=me@localhost commit --quiet --allow-empty --message one
mkdir /home/bin
printf '#!/bin/sh\\n' >/home/bin/uv
chmod 755 /home/bin/uv
"""
PATH = "/home/apps/of/blog"


@dataclass
class Fresh:
    """A server on which no one but root can log in, and the laptop that can."""

    laptop: Laptop
    machine: Machine
    key: Path
    port: int

    def setup(self, **settings: object) -> Done:
        """Run setup, as `admin: root` and `user: deploy` say."""
        host = {"ansible_host": "127.0.0.1", "ansible_port": self.port, "ansible_user": "deploy"}
        host |= {"project_admin": "root", "project_name": "blog", "project_path": PATH, "project_repo": "/home/public"}
        host |= {"ansible_python_interpreter": "/usr/bin/python3", "project_packages": [], "project_system": True}
        self.laptop.inventory.write_text(json.dumps({"blog": {"hosts": {"blog@web1": {**host, **settings}}}}))
        return self.laptop.run("playbooks/setup.yml", extra={"project": "blog", "project_system": "true"})

    def authorized(self) -> str:
        return self.machine.run("cat", "/home/deploy/.ssh/authorized_keys")

    def owner(self, path: str) -> str:
        return self.machine.run("stat", "--format=%U %a", path).strip()


@pytest.fixture
def fresh(laptop: Laptop, tmp_path: Path) -> Iterator[Fresh]:
    EMPTY.mkdir(exist_ok=True)
    port, key, host = free_port(), make_key(tmp_path / "key"), make_key(tmp_path / "host")
    (tmp_path / "config").write_text(CONFIG.format(port=port, home=tmp_path))
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {host.with_suffix('.pub').read_text()}")
    client = tmp_path / "bin/ssh"
    client.parent.mkdir()
    client.write_text(LAPTOP.format(ssh=SSH, key=key, known=tmp_path / "known"))
    client.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="cp") as sockets, machine(tmp_path) as there:
        there.run("sh", "-euc", PREPARE.format(key=key))
        laptop.environment |= {
            "PATH": f"{client.parent}{os.pathsep}{laptop.environment['PATH']}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
        }
        laptop.inventory = tmp_path / "hosts.json"
        log = tmp_path / "log"
        with subprocess.Popen([*there.prefix, SSHD, "-D", "-f", str(tmp_path / "config"), "-E", str(log)]) as sshd:
            until(lambda: (log.exists() and "listening" in log.read_text()) or sshd.poll() is not None, "sshd listens")
            assert sshd.poll() is None, log.read_text()
            yield Fresh(laptop, there, key, port)
            sshd.terminate()


def test_the_key_that_let_root_in_lets_the_new_user_in(fresh: Fresh) -> None:
    """It is reported; what is above the project's directory belongs to root; the second run changes nothing."""
    done = fresh.setup()
    assert done.code == 0, done.output
    fingerprint = subprocess.check_output([KEYGEN, "-lf", f"{fresh.key}.pub"], text=True).split()[1]
    assert f"blog@web1: deploy can log in with the key {fingerprint}" in " ".join(done.output.split())
    assert fresh.authorized().split()[:2] == fresh.key.with_suffix(".pub").read_text().split()[:2]
    assert fresh.owner("/home/deploy/.ssh/authorized_keys") == "deploy 600"
    assert [fresh.owner(path) for path in ("/home/apps", "/home/apps/of", PATH)] == [
        "root 755",
        "root 755",
        "deploy 755",
    ]
    assert fresh.setup().changed["blog@web1"] == 0


def test_a_user_who_lost_the_key_gets_it_back_and_keeps_the_others(fresh: Fresh, tmp_path: Path) -> None:
    """As after another person has set the server up. A configured key is the one that later deploys log in with."""
    other = make_key(tmp_path / "other").with_suffix(".pub")
    fresh.machine.run("useradd", "--password=*", "--create-home", "deploy")
    fresh.machine.run("install", "-d", "-o", "deploy", "-m", "700", "/home/deploy/.ssh")
    fresh.machine.run("sh", "-euc", f'printf %s "$(cat {other})" >/home/deploy/.ssh/authorized_keys')
    done = fresh.setup(ansible_ssh_private_key_file=str(fresh.key))
    assert done.code == 0, done.output
    lines = fresh.authorized().splitlines()
    assert [line.split()[1] for line in lines] == [
        file.read_text().split()[1] for file in (other, fresh.key.with_suffix(".pub"))
    ]


def test_a_user_who_is_new_gets_a_deploy_key_for_a_private_repository(fresh: Fresh) -> None:
    """What could not be seen before the user was there is looked at then, and setup comes as far as it can."""
    fresh.machine.run("useradd", "--password=*", "--create-home", "git")
    fresh.machine.run("git", "init", "--quiet", "--bare", "/home/git/private.git")
    repo = f"ssh://git@127.0.0.1:{fresh.port}/home/git/private.git"
    known = (fresh.key.parent / "known").read_text()
    first = fresh.setup(project_repo=repo, project_known_hosts=[known])
    assert first.code != 0
    assert (
        f"blog on web1: the git server does not let deploy read {repo} yet. Check `repo`, and add this key there"
        in first.output
    )
    public = fresh.machine.run("cat", "/home/deploy/.ssh/deploy_blog.pub").strip()
    assert public in first.output
    assert fresh.owner("/home/deploy/.ssh/deploy_blog") == "deploy 600"
    authorize = f"install -d -o git -m 700 /home/git/.ssh && echo '{public}' >/home/git/.ssh/authorized_keys"
    fresh.machine.run("sh", "-euc", authorize)
    second = fresh.setup(project_repo=repo, project_known_hosts=[known])
    assert second.code == 0, second.output
    assert "deploy_blog" in fresh.machine.run("cat", f"{PATH}/source/.git/config")
    assert fresh.setup(project_repo=repo, project_known_hosts=[known]).changed["blog@web1"] == 0
    fresh.machine.run("chown", "-R", "root", f"{PATH}/source")
    refused = fresh.setup(project_repo=repo, project_known_hosts=[known])
    assert (
        f"blog@web1: deploy may not write in {PATH}/source. Let the user own it: chown -R deploy {PATH}"
        in refused.output
    )
