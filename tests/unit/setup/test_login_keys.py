"""Which key a login uses, and what is added to authorized_keys; with a real ssh-agent and real keys."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.login_keys import (
    PublicKey,
    extended,
    lacking,
    parse,
    select,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_keys
from ansible_collections.onetouch.deploy.plugins.plugin_utils._login_keys import Login

from tests.support.ssh_server import KEYGEN, make_key

AGENT = shutil.which("ssh-agent") or "ssh-agent"
ADD = shutil.which("ssh-add") or "ssh-add"
ONE = PublicKey("ssh-ed25519", "AAAA1", "me@laptop")
TWO = PublicKey("ssh-rsa", "AAAA2")
THREE = PublicKey("sk-ssh-ed25519@openssh.com", "AAAA3", "a token")


def test_lines_with_options_and_comments_are_read() -> None:
    text = f"""# ssh-rsa AAAA0
command="echo 'ssh you'",no-pty {ONE.line()}

{TWO.line()}
{THREE.line()}
"""
    assert parse(text) == [ONE, TWO, THREE]


def test_the_key_that_was_accepted_is_chosen() -> None:
    """By what the server accepts for the login; all that is offered where the server has them elsewhere."""
    again = PublicKey(ONE.kind, ONE.key, "another comment")
    assert select([ONE, TWO, again], [again, THREE]) == [ONE]
    assert select([ONE, TWO, again], [THREE]) == [ONE, TWO]


def test_keys_are_added_behind_what_is_there() -> None:
    before = f"{TWO.line()} old comment"
    assert lacking([ONE, TWO], before) == [ONE]
    assert extended(before, [ONE]) == f"{before}\n{ONE.line()}\n"
    assert extended("", [ONE]) == f"{ONE.line()}\n"
    assert extended(before, []) == f"{before}\n"


def public(key: Path) -> list[PublicKey]:
    return parse(key.with_suffix(".pub").read_text())


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of ssh that knows no key and no agent."""
    path = tmp_path / "config"
    path.write_text(f"IdentityFile {tmp_path}/none\nIdentityAgent none\n")
    return path


def login(config: Path, key_file: str = "") -> Login:
    return Login("ssh", f"-F {config} -o ControlPersist=60s", "web1.example.org", "2222", "root", key_file)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """The socket of a real agent."""
    socket = tmp_path / "agent"
    with subprocess.Popen([AGENT, "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield socket
        process.terminate()


def test_a_configured_key_is_the_only_one(key: Path, config: Path, tmp_path: Path) -> None:
    config.write_text(f"IdentityFile {make_key(tmp_path / 'other')}\n")
    assert _login_keys.offered(login(config, str(key))) == public(key)


def test_a_key_with_a_passphrase_is_read_from_the_file_beside_it(tmp_path: Path, config: Path) -> None:
    key = tmp_path / "secret"
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "passphrase", "-f", str(key)], check=True)
    assert _login_keys.offered(login(config, str(key))) == public(key)


def test_a_key_of_which_only_the_public_half_is_here(key: Path, config: Path) -> None:
    """The agent has the other half."""
    assert _login_keys.offered(login(config, f"{key}.pub")) == public(key)


@pytest.fixture(params=["environment", "configuration"])
def used_agent(request: pytest.FixtureRequest, agent: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent that ssh uses, because the session or ssh's configuration names it."""
    in_session = request.param == "environment"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent if in_session else config.with_name("nowhere")))
    config.write_text("" if in_session else f"IdentityAgent {agent}\n")
    return agent


def test_the_keys_of_an_agent_come_before_those_of_files(
    key: Path, config: Path, used_agent: Path, tmp_path: Path
) -> None:
    file = make_key(tmp_path / "file")
    subprocess.run([ADD, "-q", str(key)], check=True, env={"SSH_AUTH_SOCK": str(used_agent)})
    config.write_text(f"{config.read_text()}IdentityFile {file}\n")
    assert _login_keys.offered(login(config)) == [*public(key), *public(file)]


def test_without_keys_none_is_offered(config: Path) -> None:
    assert _login_keys.offered(login(config)) == []
    assert _login_keys.output(["a-program-that-is-not-there"]) == ""
