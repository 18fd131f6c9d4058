"""Setup makes the host key of the git server known on the server: a real sshd is both, and real ssh decides.

The laptop and the server each have an ssh of their own, with its own configuration and files of known hosts.
"""

from __future__ import annotations

import getpass
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ssh_server import KEYGEN, SSH, make_key
from tests.support.sshd import Sshd
from tests.support.waiting import until

from .conftest import Done, Laptop, Upstream

GIT_CONFIG = """Host *
    IdentityFile {home}/key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {known}
    GlobalKnownHostsFile {shared}
    StrictHostKeyChecking yes
"""


@dataclass
class Side:
    """The ssh of one side: its configuration, and what it knows."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def known(self) -> Path:
        return self.folder / "known"

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    def know(self, name: str, public: Path, *, hashed: bool = False) -> None:
        """Add a host key to what the user of this side knows."""
        self.known.write_text(f"{name} {' '.join(public.read_text().split()[:2])}\n")
        if hashed:
            subprocess.run([KEYGEN, "-q", "-H", "-f", str(self.known)], check=True, capture_output=True)
            assert name not in self.known.read_text()


def make_side(folder: Path, program: Path, server: Path) -> Side:
    """Put an ssh at `program` that reads the configuration of `folder` and no other."""
    folder.mkdir()
    side = Side(folder)
    side.config.write_text(GIT_CONFIG.format(home=server, known=side.known, shared=side.shared))
    program.parent.mkdir(exist_ok=True)
    program.unlink(missing_ok=True)
    program.write_text(f'#!/bin/sh\nexec {SSH} -F {side.config} "$@"\n')
    program.chmod(0o755)
    return side


@dataclass
class Place:
    """A laptop, a server, and a git server that is neither known to the one nor the other."""

    laptop: Laptop
    sshd: Sshd
    here: Side
    there: Side

    @property
    def git_name(self) -> str:
        """How known_hosts lists the git server."""
        return f"[127.0.0.2]:{self.sshd.port}"

    @property
    def host_key(self) -> Path:
        return self.sshd.server.home / "host.pub"

    def repo(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.2:{self.sshd.port}{path}"

    def setup(self, repo: str, *arguments: str) -> Done:
        """Run setup for a project on the server."""
        path = self.laptop.folder / "srv/blog"
        settings = {"ansible_host": "127.0.0.1", "ansible_port": self.sshd.port, "ansible_user": getpass.getuser()}
        settings |= {"ansible_python_interpreter": sys.executable, "project_python": sys.executable}
        settings |= {"project_name": "blog", "project_path": str(path), "project_repo": repo}
        self.laptop.inventory = self.laptop.folder / "hosts.json"
        self.laptop.inventory.write_text(json.dumps({"blog": {"hosts": {"blog@a": settings}}}))
        return self.laptop.run("playbooks/setup.yml", *arguments, extra={"project": "blog"})

    def clones(self, repo: str) -> None:
        """Set the project up."""
        done = self.setup(repo)
        assert done.code == 0, done.output
        assert (self.laptop.folder / "srv/blog/source").is_dir()


@pytest.fixture
def place(laptop: Laptop, sshd: Sshd, tmp_path: Path) -> Place:
    server = sshd.server.home
    here = make_side(tmp_path / "here", sshd.bin / "ssh", server)
    there = make_side(tmp_path / "there", server / "account/bin/ssh", server)
    # Where uv is: without one, setup would install it each time.
    (server / "account/bin/uv").symlink_to(Path(sys.executable).with_name("uv"))
    here.shared.write_text(f"[127.0.0.1]:{sshd.port} {(server / 'host.pub').read_text()}")
    return Place(laptop, sshd, here, there)


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_a_key_that_only_the_laptop_knows_is_given_to_the_server(
    place: Place, upstream: Upstream, hashed: bool
) -> None:
    place.here.know(place.git_name, place.host_key, hashed=hashed)
    place.clones(place.repo(upstream.path))
    assert place.git_name in place.there.known.read_text()
    assert place.setup(place.repo(upstream.path)).changed["blog@a"] == 0


def test_a_certificate_authority_that_the_laptop_trusts_is_trusted_by_the_server(
    place: Place, upstream: Upstream, tmp_path: Path
) -> None:
    """Its entry is for a pattern of names. The git server has a certificate, and no key that is known by itself."""
    authority, server = make_key(tmp_path / "authority"), place.sshd.server
    sign = [KEYGEN, "-q", "-s", str(authority), "-I", "git", "-h", "-n", "127.0.0.2", str(place.host_key)]
    subprocess.run(sign, check=True)
    (server.home / "config").write_text(
        f"{(server.home / 'config').read_text()}HostCertificate {server.home}/host-cert.pub\n"
    )
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.message.count("Server listening on 127.0.0.2") == 2, "sshd has read its configuration again")
    kind, key, *_ = authority.with_suffix(".pub").read_text().split()
    place.here.known.write_text(f"@cert-authority [127.0.0.2]:*,*.example.org {kind} {key}\n")
    place.clones(place.repo(upstream.path))
    assert place.there.known.read_text() == f"@cert-authority {place.git_name} {kind} {key}\n"
    assert place.setup(place.repo(upstream.path)).changed["blog@a"] == 0


def test_a_key_that_the_laptop_has_under_an_alias_is_given_to_the_server(place: Place, upstream: Upstream) -> None:
    """HostKeyAlias: on the laptop known_hosts has the host by another name than on the server."""
    alias = "Host 127.0.0.2\n    HostKeyAlias the-git-server\n"
    place.here.config.write_text(alias + place.here.config.read_text())
    place.here.know("the-git-server", place.host_key)
    place.clones(place.repo(upstream.path))
    assert place.there.known.read_text().startswith(f"{place.git_name} ")


def test_check_mode_reports_the_key_and_writes_nothing(place: Place, upstream: Upstream) -> None:
    place.here.know(place.git_name, place.host_key)
    done = place.setup(place.repo(upstream.path), "--check", "--diff")
    assert f"+{place.git_name} ssh-ed25519 " in done.output
    assert not place.there.known.exists()


@pytest.mark.parametrize("file", ["known", "shared"])
def test_a_key_that_the_server_knows_itself_is_enough(place: Place, upstream: Upstream, file: str) -> None:
    """The user's own file, or the one of the whole machine."""
    place.there.know(place.git_name, place.host_key)
    place.there.known.rename(place.there.folder / file)
    place.clones(place.repo(upstream.path))
    assert (place.there.folder / file).read_text().count("\n") == 1


def test_an_alias_of_the_server_leads_to_the_key_of_its_host(place: Place, upstream: Upstream) -> None:
    """GitHub's recipe for several deploy keys on one server; the laptop has never heard of the alias."""
    alias = f"Host git-blog\n    HostName 127.0.0.2\n    Port {place.sshd.port}\n"
    place.there.config.write_text(alias + place.there.config.read_text())
    place.here.know(place.git_name, place.host_key)
    place.clones(f"{getpass.getuser()}@git-blog:{upstream.path}")
    assert place.git_name in place.there.known.read_text()


def test_what_git_accepts_there_is_not_refused(place: Place, upstream: Upstream) -> None:
    """Whatever makes it accept: here a command that gives the keys, which no file has."""
    command = f"    KnownHostsCommand /bin/sed 's/^/{place.git_name} /' {place.host_key}\n"
    place.there.config.write_text(place.there.config.read_text() + command)
    place.clones(place.repo(upstream.path))
    assert not place.there.known.exists()


def test_a_key_known_nowhere_is_refused_with_a_command_that_helps(place: Place, upstream: Upstream) -> None:
    done = place.setup(place.repo(upstream.path))
    assert done.code != 0
    text = " ".join(done.output.split())
    assert f"the host key of the git server {place.git_name} is not known" in text
    assert f"(ssh -p {place.sshd.port} -T {getpass.getuser()}@127.0.0.2)" in text
    assert not (place.laptop.folder / "srv/blog/source").exists()


def test_a_configured_key_is_trusted_more_than_the_laptops(place: Place, upstream: Upstream) -> None:
    place.here.know(place.git_name, place.sshd.server.home / "key.pub")
    line = f"{place.git_name} {place.host_key.read_text().strip()}"
    done = place.setup(
        place.repo(upstream.path),
        "-e",
        json.dumps({"project_known_hosts": [line, f"other {line[len(place.git_name) :].strip()}"]}),
    )
    assert done.code == 0, done.output
    assert [known.split()[0] for known in place.there.known.read_text().splitlines()] == [place.git_name, "other"]
