"""SIGTERM, and SIGHUP of a closed terminal, end a command as Ctrl-C does: here, on the server, and its files."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk, Site, Terminal, over_ssh
from tests.integration.cli.test_exec import is_gone, running
from tests.integration.playbooks.conftest import Upstream
from tests.support.releases.shim import opened
from tests.support.sshd import Sshd
from tests.support.waiting import until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
NOHUP = ["/usr/bin/env", "nohup"]


@dataclass(frozen=True)
class Endless:
    """A command that does not end by itself. Its words have a mark."""

    started: Path

    @property
    def words(self) -> list[str]:
        return ["sh", "-c", f"touch {self.started}; sleep 1000; true"]

    def wait(self) -> None:
        until(self.started.exists, "the command")

    def require_end(self) -> None:
        until(lambda: is_gone(str(self.started)), "the end of the command")


@pytest.fixture
def endless(tmp_path: Path) -> Endless:
    return Endless(tmp_path / "started")


@pytest.mark.parametrize(
    ("options", "number"),
    [([], signal.SIGTERM), ([], signal.SIGHUP), (["--json"], signal.SIGTERM)],
    ids=["SIGTERM", "SIGHUP", "playbook"],
)
def test_exec_ends_on_the_server(site: Site, endless: Endless, options: list[str], number: signal.Signals) -> None:
    """Only the command itself is sent the signal, as by `kill`."""
    with running(site.desk, "blog", "exec", *options, *endless.words) as under_way:
        endless.wait()
        under_way.process.send_signal(number)
        assert under_way.process.wait(60) == 128 + number
    endless.require_end()
    assert site.leftovers() == []


def test_a_closed_terminal_ends_exec(site: Site, endless: Endless) -> None:
    terminal = Terminal(site.desk, site.desk.argv("blog", "exec", *endless.words))
    endless.wait()
    os.close(terminal.leader)
    endless.require_end()
    until(lambda: site.leftovers() == [], "the end of its files")


def test_nohup_goes_on_without_its_terminal(site: Site, tmp_path: Path) -> None:
    """What ignored SIGHUP when it was started still does."""
    started, go, ended = (tmp_path / name for name in ("started", "go", "ended"))
    script = f"touch {started}; until test -e {go}; do sleep 0.05; done; touch {ended}"
    terminal = Terminal(site.desk, [*NOHUP, *site.desk.argv("blog", "exec", "sh", "-c", script)])
    until(started.exists, "the command")
    os.close(terminal.leader)
    go.touch()
    until(ended.exists, "the end of the command")
    terminal.process.wait(60)


@BOTH
def test_console_ends_on_the_server(site: Site, endless: Endless, tmp_path: Path, number: signal.Signals) -> None:
    """With what runs in its shell."""
    pid = tmp_path / "pid"
    script = ["/bin/sh", "-c", 'echo $$ > "$0"; exec "$@"', str(pid)]
    terminal = Terminal(site.desk, [*script, *site.desk.argv("blog", "console")])
    terminal.type(f"sh -c 'touch {endless.started}; sleep 1000; true'\n")
    endless.wait()
    os.kill(int(pid.read_text()), number)
    assert terminal.end() == 128 + number
    endless.require_end()


def end_by_sigterm(desk: Desk, waits: Path) -> int:
    """Deploy, end it while its hook waits, and return the exit code."""
    with running(desk, "shop") as under_way:
        until(waits.exists, "the hook")
        under_way.process.terminate()
        return under_way.process.wait(60)


def end_by_closed_terminal(desk: Desk, waits: Path) -> int:
    """Do the same in a terminal, whose window is closed: nothing more can be written."""
    terminal = Terminal(desk, desk.argv("shop"), ANSIBLE_STDOUT_CALLBACK="onetouch.deploy.terminal", TERM="xterm")
    until(waits.exists, "the hook")
    os.close(terminal.leader)
    return terminal.process.wait(60)


@pytest.mark.parametrize(
    ("end", "code"), [(end_by_sigterm, 143), (end_by_closed_terminal, 129)], ids=["SIGTERM", "closed-terminal"]
)
def test_a_deploy_ends_before_the_switch(
    site: Site, tmp_path: Path, end: Callable[[Desk, Path], int], code: int
) -> None:
    """The server comes to its own end once its hook has, and Ansible removes its files here."""
    gate, waits = tmp_path / "gate", tmp_path / "waits"
    os.mkfifo(gate)
    own = {"ref": "origin/main", "pre_deploy": f"touch {waits}; read word < {gate}", **over_ssh(site.sshd)}
    shop = site.desk.project("shop", site.upstream, **own)
    assert end(site.desk, waits) == code
    assert site.leftovers() == []
    until(lambda: opened(gate), "a hook that still waits")
    until(lambda: not (shop / ".deploy.state").exists(), "the end of the deploy")
    assert not (shop / "current").exists()


def test_logs_end_with_their_connections(desk: Desk, sshd: Sshd, upstream: Upstream) -> None:
    """What follows the journal ends with its reader, as journalctl does by itself."""
    desk.project("blog", upstream, app="main:app", bind="127.0.0.1:3001", **over_ssh(sshd, "127.0.0.1", "127.0.0.2"))
    program, mark = sshd.server.home / "account/bin/journalctl", str(desk.folder / "a-journal")
    Path(mark).touch()
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho begun\nexec tail -f {mark}\n")
    program.chmod(0o755)
    with running(desk, "blog", "logs", "-f") as under_way:
        under_way.read_until(lambda seen: seen.count(b"begun\n") == 2)
        under_way.process.send_signal(signal.SIGTERM)
        assert under_way.process.wait(60) == 128 + signal.SIGTERM
    until(lambda: is_gone(mark), "the end of the journals")


@pytest.mark.parametrize("words", [["exec", "true"], ["console"]], ids=lambda words: words[0])
def test_ssh_leaves_inputs_and_outputs_blocking(site: Site, words: list[str]) -> None:
    """Also while it runs: other programs share them, and Ansible refuses what would not block."""
    (reading, writing), out, errors = (os.pipe() for _descriptor in range(3))
    shared = (reading, out[1], errors[1])
    argv, desk = site.desk.argv("blog", *words), site.desk
    with subprocess.Popen(
        argv, cwd=desk.folder, env=desk.environment, stdin=reading, stdout=out[1], stderr=errors[1]
    ) as process:
        if words == ["console"]:
            os.write(writing, b"echo here it is\n")
            seen = b""
            while b"here it is" not in seen:
                seen += os.read(out[0], 4096)
            assert all(map(os.get_blocking, shared))
        os.close(writing)
        assert process.wait(60) == 0
    assert all(map(os.get_blocking, shared))
    for number in (*shared, out[0], errors[0]):
        os.close(number)
