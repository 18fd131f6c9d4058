"""Following a progress file on a server: never before there is a reason, and never for longer than the deploy."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _progress_copy
from ansible_collections.onetouch.deploy.plugins.plugin_utils._progress_copy import follow_command, followed, linked

from tests.support.waiting import until


def local_ssh(folder: Path) -> bytes:
    """Return a program that runs the remote command here, as a server does."""
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\necho run >>{folder}/runs\nfor last; do :; done\nexec sh -c "$last"\n')
    program.chmod(0o755)
    return str(program).encode()


def a_session() -> int:
    """Return a descriptor, as the lock of a session is."""
    return os.open(os.devnull, os.O_RDONLY)


def test_a_short_deploy_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_copy, "DELAY_SECONDS", 3600)
    with followed([local_ssh(tmp_path), b"host"], "/nothing", tmp_path / "copy", a_session):
        pass
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "copy").exists()


def test_a_long_deploy_is_followed_and_nothing_runs_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file comes later, and is replaced."""
    monkeypatch.setattr(_progress_copy, "DELAY_SECONDS", 0.01)
    remote, copy = tmp_path / "it's progress", tmp_path / "copy"
    with followed([local_ssh(tmp_path), b"host"], str(remote), copy, a_session):
        until((tmp_path / "runs").exists, "the command")
        remote.write_text("one\n")
        until(lambda: copy.read_text() == "one\n", "the first line")
        (tmp_path / "new").write_text("two\n")
        (tmp_path / "new").replace(remote)
        until(lambda: copy.read_text() == "one\ntwo\n", "the line of the new file")
    shown = subprocess.run(["/bin/ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(remote) not in shown


def test_without_a_free_session_a_server_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_copy, "DELAY_SECONDS", 0.01)
    asked: list[None] = []
    with followed([local_ssh(tmp_path), b"host"], "/nothing", tmp_path / "copy", lambda: asked.append(None)):
        until(lambda: len(asked) > 1, "it asks again")
    assert not (tmp_path / "runs").exists()


def test_a_server_that_does_not_answer_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_copy, "DELAY_SECONDS", 0.01)
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\ntouch {tmp_path}/runs\nexec sleep 3600\n")
    program.chmod(0o755)
    with followed([str(program).encode(), b"host"], "/nothing", tmp_path / "copy", a_session):
        until((tmp_path / "runs").exists, "the command")
        start = time.monotonic()
    assert time.monotonic() - start < 60, "ssh itself takes an hour"
    pid = (tmp_path / "pid").read_text().strip()
    until(lambda: not Path("/proc", pid).exists(), "ssh was ended")


def test_ssh_may_not_log_in_again() -> None:
    command = follow_command([b"ssh", b"-o", b"ProxyCommand=jump", b"host"], "/p")
    assert command.index(b"ProxyCommand=false") < command.index(b"ProxyCommand=jump"), "ssh takes the first"
    assert command.index(b"ControlMaster=no") < command.index(b"host")


def test_a_file_of_this_machine_is_read_where_it_is(tmp_path: Path) -> None:
    for _again in range(2):
        with linked(tmp_path / "remote", tmp_path / "local"):
            (tmp_path / "remote").write_text("one\n")
            assert (tmp_path / "local").read_text() == "one\n"
