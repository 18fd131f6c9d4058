"""A key per project for private repositories: made on the server by setup, used by deploys; with a real git over ssh.

The git server accepts a key for one repository only, as GitHub does with deploy keys.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ssh_server import KEYGEN, SSH, make_key
from tests.support.sshd import Sshd
from tests.support.waiting import until

from .conftest import Laptop, Servers, Upstream

AGENT = shutil.which("ssh-agent") or "ssh-agent"
ADD = shutil.which("ssh-add") or "ssh-add"
# A key for one repository: another one is answered as GitHub does it.
ONLY = """#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in
"git-upload-pack '{path}'") exec git-upload-pack '{path}' ;;
*) echo 'ERROR: Repository not found.' >&2; exit 1 ;;
esac
"""
SERVER_CONFIG = """Host *
    IdentityAgent {agent}
    UserKnownHostsFile {home}/known
    StrictHostKeyChecking yes
    IdentityFile {home}/account/.ssh/id_ed25519
"""


class Private(Servers):
    """A git server that knows no key but the laptop's own for logins, and a server without any key."""

    def __init__(self, laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
        super().__init__(laptop, sshd, upstream)
        self.home = sshd.server.home
        self.ssh = self.home / "account/.ssh"
        self.use_agent("none")
        ssh = self.home / "account/bin/ssh"
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\nexec {SSH} -F {self.home}/config-there "$@"\n')
        ssh.chmod(0o755)
        # Where uv is: without one, setup would install it each time.
        (ssh.parent / "uv").symlink_to(Path(sys.executable).with_name("uv"))

    def use_agent(self, agent: str) -> None:
        """Write the configuration of ssh on the server."""
        (self.home / "config-there").write_text(SERVER_CONFIG.format(home=self.home, agent=agent))

    def repository(self, name: str) -> str:
        """Make a private repository, add a project for it, and return its address."""
        Upstream(self.laptop.folder / name).commit(f"one-of-{name}")
        repo = f"ssh://{getpass.getuser()}@127.0.0.2:{self.sshd.port}{self.laptop.folder / name}"
        self.project(name, "web1", project_repo=repo, project_ref="origin/main")
        return repo

    def accept(self, public: str, name: str) -> None:
        """Accept a public key for one repository, as its owner does in the settings of a git host."""
        program = self.home / f"only-{name}"
        program.write_text(ONLY.format(path=self.laptop.folder / name))
        program.chmod(0o755)
        with (self.home / "key.pub").open("a") as keys:
            keys.write(f'command="{program}",restrict {public}\n')

    def printed_key(self, output: str, name: str) -> str:
        """Return the public key that setup has printed for a project."""
        text = output.partition(f"{name} on ")[2]
        found = re.search(r"ssh-ed25519 \S+ \S+@\S+", text)
        assert found, output
        return found.group()


@pytest.fixture
def private(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> Private:
    return Private(laptop, sshd, upstream)


def live(place: Servers, name: str) -> str:
    return (place.laptop.folder / "srv" / name / "current/page").read_text()


def test_two_private_repositories_of_one_host_have_a_key_each(private: Private) -> None:
    """The first run makes both keys and waits for nothing; once they are accepted, setup goes on, and deploys work."""
    for name in ("blog", "shop"):
        private.repository(name)
    first = private.setup()
    assert first.code != 0
    keys = {name: private.printed_key(first.output, name) for name in ("blog", "shop")}
    assert keys == {name: (private.ssh / f"deploy_{name}.pub").read_text().strip() for name in keys}
    assert keys["blog"] != keys["shop"]
    repo = private.hosts["shop"]["shop@web1"]["project_repo"]
    assert (
        f"shop on web1: the git server does not let {getpass.getuser()} read {repo} yet. Check `repo`, and add this key"
        in first.output
    )
    assert "Then run: ansible-playbook setup.yml -e project=shop" in first.output
    private_half = (private.ssh / "deploy_blog").read_text().splitlines()[1]
    assert private_half not in first.output
    assert (private.ssh / "deploy_blog").stat().st_mode & 0o777 == 0o600
    again = private.setup()
    assert (again.code != 0, set(again.changed.values())) == (True, {0}), "the same keys, and nothing new"
    assert private.printed_key(again.output, "blog") == keys["blog"]

    private.accept(keys["blog"], "blog")
    half = private.setup()
    assert half.code != 0
    assert "blog is ready on web1; next: ansible-playbook deploy.yml -e project=blog" in half.output
    assert "shop is ready" not in half.output
    private.accept(keys["shop"], "shop")
    done = private.setup()
    assert done.code == 0, done.output
    assert "shop is ready on web1; next: ansible-playbook deploy.yml -e project=shop" in done.output

    checked = private.laptop.run("playbooks/deploy.yml", "--check", extra={"project": "blog"})
    assert checked.code == 0, checked.output
    deployed = private.laptop.run("playbooks/deploy.yml", extra={"project": "blog,shop"})
    assert deployed.code == 0, deployed.output
    assert (live(private, "blog"), live(private, "shop")) == ("one-of-blog", "one-of-shop")
    last = private.setup()
    assert (last.code, set(last.changed.values())) == (0, {0}), last.output
    require_new_clone_with_key(private)


def require_new_clone_with_key(private: Private) -> None:
    """Require that a deploy which has to clone again uses the project's key, now and later."""
    source = private.laptop.folder / "srv/blog/source"
    shutil.rmtree(source)
    for arguments in (["--check"], []):
        done = private.laptop.run("playbooks/deploy.yml", *arguments, extra={"project": "blog"})
        assert done.code == 0, done.output
    assert "deploy_blog" in (source / ".git/config").read_text()


def test_a_key_that_the_user_has_already_is_used_and_none_is_made(private: Private) -> None:
    private.repository("blog")
    private.ssh.mkdir(mode=0o700)
    private.accept(make_key(private.ssh / "id_ed25519").with_suffix(".pub").read_text().strip(), "blog")
    done = private.setup()
    assert done.code == 0, done.output
    assert {path.name for path in private.ssh.iterdir()} == {"id_ed25519", "id_ed25519.pub"}
    assert "sshCommand" not in (private.laptop.folder / "srv/blog/source/.git/config").read_text()


def test_an_agent_wins_over_the_projects_key(private: Private, tmp_path: Path) -> None:
    """A forwarded one is a socket on the server, as here; the clone does not name the project's key any more."""
    private.repository("blog")
    key = private.printed_key(private.setup().output, "blog")
    private.accept(key, "blog")
    assert private.setup().code == 0
    config = private.laptop.folder / "srv/blog/source/.git/config"
    assert "deploy_blog" in config.read_text()
    lines = (private.home / "key.pub").read_text().splitlines()
    (private.home / "key.pub").write_text("".join(f"{line}\n" for line in lines if key not in line))
    forwarded = make_key(tmp_path / "forwarded")
    private.accept(forwarded.with_suffix(".pub").read_text().strip(), "blog")
    with subprocess.Popen([AGENT, "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL) as agent:
        until((tmp_path / "agent").is_socket, "the agent listens")
        subprocess.run([ADD, "-q", str(forwarded)], check=True, env={"SSH_AUTH_SOCK": f"{tmp_path}/agent"})
        private.use_agent(f"{tmp_path}/agent")
        done = private.setup()
        assert done.code == 0, done.output
        agent.terminate()
    assert "deploy_blog" not in config.read_text()


def test_check_mode_makes_no_key_and_reports_it(private: Private) -> None:
    private.repository("blog")
    done = private.setup("--check")
    assert done.code == 0, done.output
    assert done.changed["blog@web1"] == 1
    assert not private.ssh.exists()


def test_a_made_key_is_a_key(private: Private) -> None:
    """Its comment names the project and the server, by which it is found in the list of a git host.

    It goes with the data.
    """
    private.repository("blog")
    public = private.printed_key(private.setup().output, "blog")
    shown = subprocess.check_output([KEYGEN, "-l", "-f", str(private.ssh / "deploy_blog")], text=True)
    assert shown.split()[0] == "256"
    assert public.split()[2].startswith("blog@")
    removed = private.laptop.run(
        "playbooks/remove.yml",
        extra={"project": "blog", "confirm": "blog", "data": "true", "supervisor_systemd": "false"},
    )
    assert (removed.code, [*private.ssh.glob("deploy_blog*")]) == (0, []), removed.output
