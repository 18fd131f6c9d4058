"""What a server is found to have: real files, disks, accounts and names."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import facts, git_access, host_keys

from tests.support.mounts import make_ext4, mounted


def asked(path: Path) -> facts.Asked:
    return facts.Asked(getpass.getuser(), "root", path, ("git", "no-such-package"), (sys.executable, "/nowhere/python"))


def test_everything_is_found_in_one_go_and_nothing_is_changed(tmp_path: Path) -> None:
    question = git_access.Question("blog", str(tmp_path / "nowhere"), tmp_path / "blog/source")
    before = sorted(tmp_path.rglob("*"))
    found = facts.collect(asked(tmp_path / "blog"), question, probe=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert found["missing_packages"] == ["no-such-package"]
    assert found["pythons"] == {sys.executable: "{}.{}".format(*sys.version_info[:2]), "/nowhere/python": ""}
    assert found["account"]["home"] == pwd.getpwuid(os.geteuid()).pw_dir
    assert found["path"]["nearest"] == str(tmp_path)
    assert found["git"]["access"] == "failed"


def test_what_occupies_a_path_is_found(tmp_path: Path) -> None:
    for name in ("file", "dangling"):
        place = tmp_path / name
        place.write_text("x") if name == "file" else place.symlink_to("nowhere")
        found = facts.path_facts(place / "blog")
        assert (found["nearest"], found["is_directory"]) == (str(place), False)
    project = tmp_path / "project"
    (project / "source/something").mkdir(parents=True)
    assert facts.path_facts(project)["source_occupied"]
    (project / "source/something").rename(project / "source/.git")
    found = facts.path_facts(project)
    assert (found["source_occupied"], found["has_clone"]) == (False, True)
    assert found["owner"] == getpass.getuser()


def test_a_disk_without_inodes_or_that_is_read_only_is_found(tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_ext4(image, 4 * 1024 * 1024, "-N", "16")
    with mounted(tmp_path / "disk", "-o", "loop", str(image)) as disk:
        found = facts.disk(disk / "not/there/yet")
        assert found["free_inodes"] < 16
        assert 0 < found["free_bytes"] < 4 * 1024 * 1024
        assert not found["read_only"]
    with mounted(tmp_path / "disk", "-o", "loop,ro", str(image)) as disk:
        assert facts.disk(disk)["read_only"]


def test_the_directory_of_a_unix_socket_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert facts.socket_directory(f"unix:{tmp_path}/socket") == ""
    assert facts.socket_directory(f"unix:{tmp_path}/missing/socket") == "missing"
    assert facts.socket_directory(f"unix:{tmp_path}/file/socket") == "occupied"
    assert facts.socket_directory("127.0.0.1:1") == ""


@pytest.mark.parametrize(
    ("repo", "host"),
    [
        ("git@git.example.org:you/blog.git", "git.example.org"),
        ("https://me:secret@git.example.org:8443/you/blog.git", "git.example.org"),
        ("/srv/git/blog", ""),
        ("file:///srv/git/blog", ""),
    ],
)
def test_the_host_of_an_address_is_found(repo: str, host: str) -> None:
    assert git_access.git_host(repo) == host


def test_an_address_that_git_would_take_for_a_command_is_not_given_to_it(tmp_path: Path) -> None:
    repo = f"ext::touch {tmp_path}/run"
    question = git_access.Question("blog", repo, tmp_path / "source")
    found = git_access.collect(question, home=tmp_path, probe=True)
    assert "git could run a command because of it" in found["not_allowed"]
    assert not (tmp_path / "run").exists()


def test_a_line_that_is_no_host_key_is_named(tmp_path: Path) -> None:
    question = git_access.Question("blog", "git@x:y", tmp_path / "source", ["ssh-ed25519 AAAA"])
    assert git_access.collect(question, home=tmp_path, probe=False)["not_allowed"] == (
        "project_known_hosts: not a line of known_hosts: ssh-ed25519 AAAA. Use: NAME TYPE KEY"
    )


def test_a_proxy_for_http_needs_no_name_that_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert not git_access.can_be_found("no-such-git.invalid", None)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert git_access.can_be_found("no-such-git.invalid", None)


def test_a_user_who_is_not_there_has_no_account() -> None:
    assert facts.account("no-such-user") == {"exists": False}
    assert facts.account("nobody")["shell"].endswith("nologin")


def test_a_proxy_of_ssh_needs_no_name_that_resolves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nexec /usr/bin/ssh -F none -o ProxyJump=jump.example.org "$@"\n')
    ssh.chmod(0o755)
    address = host_keys.parse_address("git@no-such-git.invalid:blog")
    assert git_access.can_be_found("no-such-git.invalid", address)
    ssh.unlink()
    assert not git_access.can_be_found("no-such-git.invalid", address)
