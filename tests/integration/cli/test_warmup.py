"""The connection that is opened while Ansible starts, over a real sshd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk, over_ssh
from tests.integration.playbooks.conftest import Upstream
from tests.support.ssh_server import make_key
from tests.support.sshd import Counts, Sshd

RECORD = """#!/bin/sh
echo "$@" >> {calls}
# A login over a slow line takes longer than Ansible's start.
case "$*" in *" -N -f "*) sleep 3 ;; esac
exec {ssh} "$@"
"""


@pytest.fixture
def calls(desk: Desk, sshd: Sshd) -> Path:
    """Every call of ssh, one per line."""
    file, recorder = desk.folder / "calls", desk.folder / "bin/ssh"
    recorder.parent.mkdir()
    recorder.write_text(RECORD.format(calls=file, ssh=sshd.bin / "ssh"))
    recorder.chmod(0o755)
    desk.environment["PATH"] = f"{recorder.parent}:{desk.environment['PATH']}"
    return file


KINDS = {" -N -f ": "early", " -O check ": "check", " -N ": "open"}


def kinds(calls: Path) -> list[str]:
    """Return for each call of ssh what it was for: opening early, or Ansible's check, opening and running."""
    lines = calls.read_text().splitlines()
    return [next((kind for words, kind in KINDS.items() if words in line), "run") for line in lines]


@pytest.mark.parametrize("settings", [{}, {"key": "{key}"}, {"forward_agent": True}], ids=["plain", "key", "agent"])
def test_ansible_shares_the_connection(
    desk: Desk, sshd: Sshd, upstream: Upstream, calls: Path, settings: dict[str, object]
) -> None:
    """One login, which is not Ansible's, even where a login takes longer than Ansible's start."""
    own = {name: str(sshd.server.key) if value == "{key}" else value for name, value in settings.items()}
    desk.project("blog", upstream, ref="origin/main", **own, **over_ssh(sshd))
    done = desk.deploy("blog")
    assert done.code == 0, done.out
    assert sshd.counts() == Counts(logins=1, executions=1)
    assert kinds(calls) == ["early", "check", "run"]
    assert desk.deploy("blog").code == 0
    assert kinds(calls)[3:] == ["check", "run"], "it is open still"
    assert sshd.counts().logins == 1


def test_two_servers_are_logged_in_to_once_each(desk: Desk, sshd: Sshd, upstream: Upstream, calls: Path) -> None:
    """A project on one server only, chosen by --server, opens that one."""
    desk.project("blog", upstream, ref="origin/main", **over_ssh(sshd, "127.0.0.1", "127.0.0.2"))
    assert desk.deploy("blog", "history", "--server", "127.0.0.1").code == 0
    assert kinds(calls).count("early") == 1
    assert desk.deploy("blog", "history").code == 0
    assert kinds(calls).count("early") == 2
    assert sshd.counts().logins == 2


def test_a_refused_login_is_reported_by_ansible(desk: Desk, sshd: Sshd, upstream: Upstream, calls: Path) -> None:
    """The connection beside it asks nothing and says nothing."""
    wrong = make_key(desk.folder / "wrong")
    wrapper = sshd.bin / "ssh"
    wrapper.write_text(wrapper.read_text().replace(str(sshd.server.key), str(wrong)))
    desk.project("blog", upstream, ref="origin/main", **over_ssh(sshd))
    done = desk.deploy("blog")
    assert done.code == 4
    assert kinds(calls)[0] == "early"
    assert "Permission denied" in done.out
    assert done.err == ""


def test_variables_beside_the_inventory_leave_the_login_to_ansible(
    desk: Desk, sshd: Sshd, upstream: Upstream, calls: Path
) -> None:
    desk.project("blog", upstream, ref="origin/main", **over_ssh(sshd))
    (desk.folder / "group_vars").mkdir()
    assert desk.deploy("blog", "history").code == 0
    assert kinds(calls) == ["check", "open", "run"]
