"""What the hosts of a play share while it runs: results, sessions of a server, one login; and what ends a wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _shared_connection, _turns
from ansible_collections.onetouch.deploy.plugins.plugin_utils._board import SESSIONS_PER_SERVER, Board
from ansible_collections.onetouch.deploy.plugins.plugin_utils._shared_connection import (
    SharedConnection,
    is_shared,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._turns import Turns

from tests.support.sshd import Sshd
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "board")


@pytest.fixture
def sockets() -> Iterator[Path]:
    # Short: the path of a unix socket has room for a hundred bytes.
    with tempfile.TemporaryDirectory(prefix="cp") as folder:
        yield Path(folder)


def test_servers_go_live_in_turns_and_a_failure_reaches_all_after_it(board: Board) -> None:
    servers, order = ["a", "b", "c", "d"], []

    def turn(host: str) -> str | None:
        turns = Turns(board, host)
        stopped: list[str | None] = []

        def act() -> dict[str, object]:
            stopped.append(turns.stopped_by("activate", servers, 1))
            if not stopped[0]:
                order.append(host)
            return {"outcome": "put_back" if host == "b" else "not_reached" if stopped[0] else "live", "ignored": {1}}

        turns.take("activate", act)
        return stopped[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(turn, reversed(servers))) == ["b", "b", None, None]
    assert order == ["a", "b"]


def test_an_error_in_a_turn_is_a_failure_to_the_others(board: Board) -> None:
    def act() -> dict[str, object]:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        Turns(board, "a").take("prepare", act)
    assert Turns(board, "b").results("prepare", ["a"])["a"]["failed"]


def test_a_server_that_does_not_begin_is_named(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has begun is waited for, however long that takes: its limit is another one's."""
    monkeypatch.setattr(_turns, "BEGIN_SECONDS", 0.2)
    message = "b has not begun to prepare, and this server comes after it. Run each step on all servers of the project"

    def act() -> dict[str, object]:
        with pytest.raises(AnsibleActionFail, match=message):
            Turns(board, "c").results("prepare", ["a", "b"])
        return {"outcome": "prepared"}

    Turns(board, "a").take("prepare", act)
    assert Turns(board, "c").results("prepare", ["a"]) == {"a": {"outcome": "prepared"}}


def test_a_server_has_so_many_sessions(board: Board) -> None:
    with ExitStack() as open_sessions, ThreadPoolExecutor(1) as pool:
        for _ in range(SESSIONS_PER_SERVER):
            open_sessions.enter_context(board.session("web1"))
        with board.session("web2"):
            pass

        def one_more() -> bool:
            with board.session("web1"):
                return True

        late = pool.submit(one_more)
        assert not late.done()
        open_sessions.close()
        assert late.result(timeout=30)


def test_only_the_first_logs_in_and_its_error_is_that_of_all(board: Board) -> None:
    with board.login("web1") as first, board.login("web1") as second, board.login("web2") as other:
        assert (first.is_first, second.is_first, other.is_first) == (True, False, True)
        first.done("refused")
        assert second.others_error() == "refused"
    with board.login("web1") as later:
        assert not later.is_first
        assert later.others_error() == "refused"


def test_when_the_first_ends_without_trying_the_others_log_in_themselves(board: Board) -> None:
    with board.login("web1") as second_is_late:
        assert second_is_late.is_first
        with board.login("web1") as second:
            second_is_late.release()
            assert second.others_error() == ""


WAIT = """
from pathlib import Path
from {module} import Board
board = Board(Path({folder!r}))
print(1, flush=True)
board.wait(["a"])
"""


def test_a_wait_ends_with_ansible(tmp_path: Path) -> None:
    """Its processes are killed with it, or see that it is gone."""
    module = "ansible_collections.onetouch.deploy.plugins.plugin_utils._board"
    code = WAIT.format(module=module, folder=str(tmp_path / "board"))
    start = f"p = subprocess.Popen([sys.executable, '-c', {code!r}])"
    parent = f"import subprocess, sys; {start}; print(p.pid, flush=True); p.wait()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env=environment
    ) as ansible:
        assert ansible.stdout
        lines = [ansible.stdout.readline().strip() for _ in range(2)]
        child = Path("/proc", next(line for line in lines if line != "1"))
        ansible.send_signal(signal.SIGKILL)
    until(lambda: not child.exists() or (child / "stat").read_text().split()[2] == "Z", "the end of the wait")


def ssh(sshd: Sshd, sockets: Path, port: int | None = None) -> list[str]:
    """Return ssh's command as Ansible writes it."""
    options = {"ControlMaster": "auto", "ControlPersist": "60s", "ControlPath": f"{sockets}/c", "ConnectTimeout": 2}
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [str(sshd.bin / "ssh"), *words, "-p", str(port or sshd.port)]


def test_a_shared_connection_is_opened_without_an_execution(sshd: Sshd, sockets: Path) -> None:
    before = sshd.counts()
    for logins in (1, 1):
        with SharedConnection(lambda *words: [*ssh(sshd, sockets), *words, "127.0.0.1"]) as connection:
            connection.open()
            assert connection.wait() == ""
        seen = sshd.counts().since(before)
        assert (seen.logins, seen.executions) == (logins, 0)
    assert subprocess.run([*ssh(sshd, sockets), "-O", "check", "x"], capture_output=True, check=False).returncode == 0


def test_a_connection_that_another_process_opens_meanwhile_is_as_good(sshd: Sshd, sockets: Path) -> None:
    """Two commands start at the same time. ssh says that the socket is there, and would stay in the foreground."""
    command = ssh(sshd, sockets)
    unaware = [word if not word.startswith("ControlMaster") else "ControlMaster=no" for word in command]
    with SharedConnection(lambda *words: [*(unaware if "-N" in words else command), *words, "127.0.0.1"]) as connection:
        connection.open()
        subprocess.run([*command, "127.0.0.1", "true"], check=True)
        assert connection.wait() == ""


@pytest.mark.parametrize(
    ("ssh_args", "shared"),
    [
        ("-C -o ControlMaster=auto -o ControlPersist=60s", True),
        ("-o ControlMaster=auto -o ControlPersist=yes -o ServerAliveInterval=15", True),
        ("-o ControlMaster=auto -o ControlPersist=0", True),
        ("-o ControlMaster=auto", False),
        ("-o ControlMaster=no -o ControlPersist=60s", False),
        ("-o ControlMaster=auto -o ControlPersist=no", False),
        ("-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=none", False),
        ("", False),
    ],
)
def test_a_connection_is_shared_where_ssh_keeps_it_open(ssh_args: str, *, shared: bool) -> None:
    """Otherwise `ssh -N` would stay in the foreground."""
    assert is_shared(ssh_args) is shared


def test_a_connection_that_is_never_there_is_given_up(
    sshd: Sshd, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible then logs in itself."""
    monkeypatch.setattr(_shared_connection, "LIMIT_SECONDS", 1.0)
    command = [word.replace("ControlMaster=auto", "ControlMaster=no") for word in ssh(sshd, sockets)]
    with SharedConnection(lambda *words: [*command, *words, "127.0.0.1"]) as connection:
        connection.open()
        assert connection.wait() == ""


def test_a_connection_that_cannot_be_opened_gives_the_reason_of_ssh(sshd: Sshd, sockets: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with SharedConnection(lambda *words: [*ssh(sshd, sockets, port), *words, "127.0.0.1"]) as connection:
            connection.open()
            assert "Connection refused" in connection.wait()
