"""One run of setup reports all that is in the way, on all servers and before anything is changed: with a real sshd."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Servers, Upstream
from tests.support.mounts import mounted
from tests.support.ports import free_port
from tests.support.ssh_server import make_key
from tests.support.sshd import Sshd


@pytest.fixture
def place(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> Servers:
    return Servers(laptop, sshd, upstream)


def test_all_obstacles_of_all_servers_are_reported_in_one_run(place: Servers) -> None:
    """Three servers that cannot be asked for three reasons, and two repositories that cannot be read, for two."""
    place.project("fine", "web1")
    place.project("gone", "web2", ansible_host="no-such-server.invalid")
    place.project("deaf", "web3", ansible_port=free_port())
    unknown = make_key(place.laptop.folder / "unknown")
    ssh = "-o IdentityFile=none -o PubkeyAuthentication=no"
    place.project(
        "shut",
        "web4",
        ansible_host="127.0.0.2",
        ansible_ssh_common_args=ssh,
        ansible_ssh_private_key_file=str(unknown),
    )
    place.project("lost", "web1", project_repo="https://no-such-git.invalid/you/blog.git")
    place.project("away", "web1", project_repo=str(place.laptop.folder / "nowhere"))
    found = dict(line.split(": ", 1) for line in place.obstacles())
    assert found.keys() == {"gone@web2", "deaf@web3", "shut@web4", "lost@web1", "away@web1"}
    assert found["gone@web2"].startswith(
        "the name no-such-server.invalid of the server does not resolve on this machine. "
    )
    assert found["deaf@web3"].startswith(
        "the server 127.0.0.1 cannot be reached by ssh (connect to host 127.0.0.1 port "
    )
    assert found["shut@web4"].startswith(
        f"the server 127.0.0.2 refuses the login as {getpass.getuser()}. Let your key log"
    )
    assert found["lost@web1"] == (
        "the name no-such-git.invalid of the git server does not resolve on the server. "
        "Correct `repo`, or the server's DNS"
    )
    assert "there is no repository at that address, or it is hidden from this user. Check repo" in found["away@web1"]


def test_several_obstacles_of_one_project_are_lines_of_their_own(place: Servers) -> None:
    """An interpreter that is not there, a path that is occupied, and a directory of a socket that does not exist."""
    occupied = place.laptop.folder / "occupied"
    occupied.write_text("an important file")
    place.project(
        "blog",
        "web1",
        project_path=str(occupied / "blog"),
        project_python="/nowhere/python",
        project_app="main:app",
        project_bind=f"unix:{place.laptop.folder}/missing/socket",
    )
    lines = place.obstacles(supervisor_systemd="false", supervisor_python="/nowhere/too")
    assert [line.partition(": ")[2].partition(". ")[0] for line in lines] == [
        "environments need Python 3.9 or newer, and '/nowhere/python' cannot be run there",
        "procmon needs Python 3.10 or newer, and '/nowhere/too' cannot be run there",
        f"the directory of bind unix:{place.laptop.folder}/missing/socket does not exist",
        f"path {occupied}/blog is occupied: {occupied} is not a directory",
    ]


def test_a_python_that_is_missing_or_too_old_for_modules_is_an_obstacle(place: Servers, old_python: Path) -> None:
    place.project("blog", "web1", ansible_python_interpreter=str(old_python))
    place.project("shop", "web1", ansible_python_interpreter="/nowhere/python3")
    blog, shop = place.obstacles()
    assert "is Python 3.8, but this module needs Python 3.9 or newer" in blog
    assert shop.startswith("shop@web1: there is no Python for Ansible's modules on 127.0.0.1 (")
    assert shop.endswith("Install python3 there, or set `python` to its path")


def test_a_taken_port_and_a_system_without_systemd_are_reported_with_who_has_it(place: Servers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bind = f"127.0.0.1:{server.getsockname()[1]}"
        place.project("blog", "web1", project_app="main:app", project_bind=bind, project_user="www-data")
        lines = place.obstacles(supervisor_python=sys.executable, project_admin="root")
    found = [line.partition(": ")[2] for line in lines]
    assert any(line.startswith(f"bind {bind} is taken by ") and f"(pid {os.getpid()}" in line for line in found), found
    assert any(line.startswith("systemd does not run 127.0.0.1, and it is to run procmon. ") for line in found), found


SUDO = "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"


@pytest.mark.parametrize("installed", [False, True], ids=["missing", "asks for a password"])
def test_a_sudo_that_cannot_be_used_is_reported(place: Servers, installed: bool) -> None:
    """There is none on this machine; the other one answers as sudo does without a terminal."""
    sudo = place.sshd.server.home / "account/bin/sudo"
    sudo.parent.mkdir()
    if installed:
        sudo.write_text(SUDO)
        sudo.chmod(0o755)
    # Whatever the name of the admin is, this user logs in.
    login = f"-o User={getpass.getuser()} -o ControlMaster=auto -o ControlPersist=60s"
    place.project("blog", "web1", ansible_ssh_args=login, project_admin="admin", project_user="daemon")
    [line] = [one for one in place.obstacles(project_system="true") if "sudo" in one]
    assert ("sudo asks admin for a password on 127.0.0.1. Run setup with -K" in line) == installed
    assert ("sudo is not installed on 127.0.0.1, and setup needs root" in line) != installed


def test_a_full_disk_is_reported_with_what_setup_needs(place: Servers, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        place.project("blog", "web1", project_path=str(disk / "blog"))
        [line] = place.obstacles()
    assert f"the disk is full: 1 MiB are free for {disk}/blog, and setup needs 50 MiB. Free some space" in line


AHEAD = "import time\nreal = time.time\ntime.time = lambda: real() + 3 * 3600\n"


def test_a_clock_that_is_far_off_is_reported(place: Servers, tmp_path: Path) -> None:
    """The server's Python has a clock of its own; nothing else about it differs."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(AHEAD)
    python = tmp_path / "clock/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/clock exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    place.project("blog", "web1", ansible_python_interpreter=str(python))
    assert place.obstacles() == [
        "blog@web1: the server's clock is 3 hours ahead of this machine's. Set the one that is wrong, such as with: "
        "timedatectl set-ntp true"
    ]


def test_a_repository_in_the_place_of_something_else_is_reported(place: Servers, tmp_path: Path) -> None:
    source = tmp_path / "taken/source"
    source.mkdir(parents=True)
    (source / "important").touch()
    place.project("blog", "web1", project_path=str(source.parent))
    [line] = place.obstacles()
    assert line == f"blog@web1: {source} is not a git clone. Move it away, or set another `path`"


def test_a_server_that_is_away_costs_its_timeout_once(place: Servers) -> None:
    """Three projects on it: one login is tried, for all of them, and the obstacle is one line."""
    port = free_port()
    for name in ("a", "b", "c"):
        place.project(name, "web1", ansible_port=port)
    [line] = place.obstacles()
    assert line.startswith("a, b, c on web1: the server 127.0.0.1 cannot be reached by ssh (")
