"""A run that is cancelled, or whose program is interrupted or killed: Ansible ends here, the server by itself."""

from __future__ import annotations

import getpass
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import onetouch_deploy as api
from tests.integration.cli.conftest import Desk, over_ssh
from tests.integration.playbooks.conftest import GIT, Upstream
from tests.support.ports import free_port
from tests.support.releases.shim import SHIM, opened
from tests.support.sshd import Sshd
from tests.support.waiting import until


@dataclass(frozen=True)
class Server:
    """A project on a server behind ssh, of which nothing is live."""

    desk: Desk
    sshd: Sshd
    upstream: Upstream
    folder: Path

    def project(self, **settings: object) -> None:
        self.desk.project("blog", self.upstream, ref="origin/main", **over_ssh(self.sshd), **settings)

    @property
    def path(self) -> Path:
        return self.desk.folder / "srv/blog"

    @property
    def live(self) -> str:
        """What the page of the live release has; nothing when none is live."""
        page = self.path / "current/page"
        return page.read_text() if page.exists() else ""

    def attempts(self) -> list[dict[str, Any]]:
        journal = self.path / ".deploys.jsonl"
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def own_end(self) -> dict[str, Any]:
        """Open the gate, and return the attempt that the server has recorded at its own end."""
        before = len(self.attempts())
        until(lambda: opened(self.folder / "gate"), "a command that still waits")
        until(lambda: len(self.attempts()) > before, "the end of the deploy")
        until(lambda: not (self.path / ".deploy.state").exists(), "the end of the deploy")
        return self.attempts()[-1]

    def wait_at_gate(self) -> None:
        until((self.folder / "up").exists, "the command at the gate")

    def hook(self) -> str:
        """A hook that waits at a gate, the first time."""
        wait = f"mkfifo {self.folder}/gate; touch {self.folder}/up; read line < {self.folder}/gate"
        return f"test -e {self.folder}/up || {{ {wait}; }}"

    def git_that_waits(self, command: str) -> None:
        """Put a git first in the PATH of the server that waits at the gate in a command."""
        programs = self.sshd.server.home / "account/bin"
        programs.mkdir()
        program = programs / "git"
        program.write_text(SHIM.format(git=GIT, scratch=self.folder, command=command))
        program.chmod(0o755)


@pytest.fixture
def server(desk: Desk, sshd: Sshd, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest) -> Server:
    request.getfixturevalue("temporary")
    (tmp_path / "scratch").mkdir()
    made = Server(desk, sshd, upstream, tmp_path / "scratch")
    made.project()
    return made


def cancelled(server: Server) -> api.Outcome:
    """Deploy, and cancel when the server stands at the gate."""
    with api.start("deploy", "blog", config=server.desk.config) as run:
        server.wait_at_gate()
        run.cancel()
    return run.wait()


def require_under_way(outcome: api.Outcome) -> None:
    assert (outcome.ok, outcome.cancelled) == (False, True)
    [result] = outcome.under_way
    assert (result.project, result.server, result.commit) == ("blog", "127.0.0.1", None)
    assert result.error
    assert "blog on 127.0.0.1 was under way" in result.error.reason


def test_cancelled_in_fetch(server: Server) -> None:
    server.git_that_waits("fetch")
    require_under_way(cancelled(server))
    attempt = server.own_end()
    assert (server.live, attempt["outcome"]) == ("", "failed")
    assert "before the switch" in attempt["error"]


def test_cancelled_in_a_hook_before_the_switch(server: Server) -> None:
    """Once its beginning was reported, over the connection that is open."""
    server.project(pre_deploy=server.hook())
    with api.start("deploy", "blog", config=server.desk.config) as run:
        for event in run:
            if isinstance(event, api.PhaseStarted) and event.phase == "pre_deploy":
                run.cancel()
    require_under_way(run.wait())
    assert "(pre_deploy)" in str(run.wait().under_way[0].error)
    attempt = server.own_end()
    assert (server.live, attempt["outcome"]) == ("", "failed")
    assert "before the switch" in attempt["error"]


def test_cancelled_after_the_switch(server: Server) -> None:
    """Once it goes live, and once its test hook fails, so that it is put back."""
    server.project(post_deploy=server.hook())
    require_under_way(cancelled(server))
    assert (server.own_end()["outcome"], server.live) == ("live", "one")
    server.upstream.commit("two")
    for name in ("gate", "up"):
        (server.folder / name).unlink()
    server.project(post_deploy=server.hook(), test="false")
    require_under_way(cancelled(server))
    assert (server.own_end()["outcome"], server.live) == ("put_back", "one")


def test_cancelled_before_ansible_has_begun(server: Server) -> None:
    run = api.start("deploy", "blog", config=server.desk.config)
    run.cancel()
    outcome = run.wait()
    assert (outcome.ok, outcome.cancelled, outcome.results) == (False, True, ())
    assert not server.path.exists()


PROGRAM = """
import signal, sys
import onetouch_deploy
print("begins", flush=True)
interrupted = False
try:
    onetouch_deploy.deploy("blog", config=sys.argv[1])
except KeyboardInterrupt:
    interrupted = True
try:
    print("interrupted" if interrupted else "not interrupted", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted again", flush=True)
"""


@pytest.fixture
def program(server: Server) -> Iterator[subprocess.Popen[str]]:
    """A program that deploys, and waits at the gate before the switch. Its output is a pipe."""
    server.project(pre_deploy=server.hook())
    argv = [sys.executable, "-c", PROGRAM, str(server.desk.config)]
    with subprocess.Popen(argv, env=server.desk.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "begins\n"
        server.wait_at_gate()
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_during_and_after_a_run(server: Server, program: subprocess.Popen[str]) -> None:
    assert program.stdout
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "interrupted\n"
    program.send_signal(signal.SIGINT)
    assert program.stdout.read() == "interrupted again\n"
    assert program.wait() == 0
    assert (server.own_end()["outcome"], server.live) == ("failed", "")


def test_a_program_that_is_killed_ends_ansible_too(
    server: Server, program: subprocess.Popen[str], temporary: Path
) -> None:
    [ansible] = [int(pid) for pid in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()] or [
        int(pid)
        for task in Path(f"/proc/{program.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    program.kill()
    until(lambda: not Path(f"/proc/{ansible}").exists() or is_zombie(ansible), "the end of Ansible")
    assert (server.own_end()["outcome"], server.live) == ("failed", "")
    until(lambda: [*temporary.iterdir()] == [], "the end of the program's files, which Ansible removes")


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.usefixtures("temporary")
def test_a_server_that_cannot_be_reached(desk: Desk, upstream: Upstream) -> None:
    away = {"connection": None, "host": "127.0.0.1", "port": free_port(), "user": getpass.getuser()}
    desk.project("blog", upstream, **away)
    outcome = api.deploy("blog", config=desk.config)
    [result] = outcome.results
    assert (outcome.code, result.outcome) == (4, "unreachable")
    assert result.error
    assert "127.0.0.1 cannot be reached" in result.error.reason


def test_an_unknown_host_key_is_an_error(server: Server) -> None:
    """ansible-runner by itself turns the check of host keys off."""
    server.sshd.server.know(server.sshd.server.home / "key.pub")
    server.sshd.server.hang_up()
    outcome = api.deploy("blog", config=server.desk.config)
    assert [one.outcome for one in outcome.results] == ["unreachable"]
    assert outcome.results[0].error
    assert "host key" in outcome.results[0].error.message.lower()
