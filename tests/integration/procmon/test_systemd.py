"""procmon under a systemd that is played by the test: it holds the socket, hears the messages, reads the journal."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from procmon.master.systemd import Notifier, state_message

from tests.support.procmon.builds import DIE, Builds
from tests.support.procmon.load import load, lost
from tests.support.procmon.service import Service, Start, alive
from tests.support.waiting import until

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
if os.environ.pop("JOURNAL", None):
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextlib.contextmanager
def socket_unit(s: Service) -> Iterator[None]:
    """Hold the listening socket as systemd does, and hand it to each procmon that is started."""
    with socket.create_server(("127.0.0.1", s.port), backlog=2048) as server:
        os.set_inheritable(server.fileno(), True)
        s.wrapper = [sys.executable, "-c", ACTIVATE, str(server.fileno())]
        yield
        s.close()


def start(s: Service, state: str = "serving") -> None:
    """Start procmon with the socket."""
    assert s.wrapper
    with (s.root / "log").open("ab") as log:
        argv = [*s.wrapper, *s.command, "run", str(s.config)]
        s.process = subprocess.Popen(argv, stderr=log, env=s.environment, close_fds=False)
    s.wait_state(state)


@pytest.fixture
def held(service: Start) -> Iterator[Service]:
    """A service whose socket is held for it."""
    s = service(heartbeat={"interval": 0})
    with socket_unit(s):
        yield s


# -- behind the socket ------------------------------------------------------------------------------------------------


def test_stops_and_starts_behind_the_socket_lose_nothing(held: Service) -> None:
    start(held)
    with load(held) as users:
        for _ in range(4):
            held.signal(signal.SIGTERM)
            assert held.wait_exit() == 0
            start(held)
            for user in users:
                user.wait_for_more()
    assert lost(users) == []


def test_no_client_is_refused_when_procmon_is_killed_and_started_again(held: Service) -> None:
    """The workers of a killed procmon finish what they have, so that nothing at all is lost."""
    start(held)
    with load(held) as users:
        for _ in range(3):
            held.signal(signal.SIGKILL)
            held.wait_exit()
            start(held)
            for user in users:
                user.wait_for_more()
    assert lost(users) == []


def test_workers_that_get_sigterm_after_their_procmon_was_killed_finish_first(held: Service, tmp_path: Path) -> None:
    """systemd sends it to all that are left in the control group."""
    start(held)
    workers = held.pids()
    with held.hold(tmp_path / "barrier") as request:
        held.signal(signal.SIGKILL)
        held.wait_exit()
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        until(lambda: len([pid for pid in workers if alive(pid)]) == 1, "the other worker has ended")
        request.go()
        assert request.answer() == (200, "a")
    until(lambda: not any(alive(pid) for pid in workers), "both have ended")


def test_stop_ends_procmon_alone_and_waits_for_that(held: Service, tmp_path: Path) -> None:
    assert held.run("stop").returncode == 0, "nothing has run yet"
    start(held)
    argv = [*held.command, "stop", str(held.config)]
    with held.hold(tmp_path / "barrier") as request, subprocess.Popen(argv, env=held.environment) as stopping:
        until(lambda: held.status()["state"] == "stopping", "it stops")
        assert stopping.poll() is None
        request.go()
        assert request.answer() == (200, "a")
        assert stopping.wait(timeout=60) == 0
    assert held.process is not None
    assert held.process.wait(timeout=1) == 0
    assert held.run("stop").returncode == 0, "it has ended already"


def test_upgrades_behind_the_socket_keep_it(held: Service) -> None:
    builds = Builds(held)
    start(held)
    pid = held.status()["pid"]
    with load(held, 1, 1) as users:
        for _ in range(2):
            builds.install()
            builds.upgrade()
        held.signal(signal.SIGTERM)
        assert held.wait_exit() == 0
        start(held)
        for user in users:
            user.wait_for_more()
    assert lost(users) == []
    assert held.status()["pid"] != pid


def test_a_successor_that_dies_right_after_the_exec_costs_no_client_an_answer(held: Service, tmp_path: Path) -> None:
    """It has passed its trial, so that nothing of the old procmon is left: systemd starts another one."""
    builds = Builds(held)
    start(held)
    workers = held.pids()
    builds.install(DIE)
    with held.hold(tmp_path / "barrier") as request, load(held, 1, 1) as users:
        held.signal(signal.SIGUSR2)
        assert held.wait_exit() == 3
        request.go()
        assert request.answer() == (200, "a")
        builds.install()
        start(held)
        for user in users:
            user.wait_for_more()
    assert lost(users) == []
    until(lambda: not any(alive(pid) for pid in workers), "the old workers have gone", 15)
    assert len(held.pids()) == 2


# -- what it reports --------------------------------------------------------------------------------------------------


def test_its_lines_in_the_journal_have_their_level_and_the_apps_lines_are_unchanged(held: Service) -> None:
    held.environment["JOURNAL"] = "1"
    start(held)
    assert held.deploy("b", code="print('a line of the app', flush=True)\nraise ValueError('two\\nlines')")["error"]
    # The app's output and the worker's report take different ways: either may be first.
    wanted = {"a line of the app", "<3>ValueError: two"}
    until(lambda: wanted <= set(held.log().splitlines()), "both are logged")
    lines = held.log().splitlines()
    ours = [line for line in lines if "procmon: " in line]
    assert all(line.startswith("<") for line in ours)
    assert any(line.startswith("<6>procmon: INFO: generation 1 serves") for line in ours)
    assert any(line.startswith("<3>procmon: ERROR: reload failed") for line in ours)


def test_without_a_journal_lines_are_plain(held: Service) -> None:
    start(held)
    assert not any(line.startswith("<") for line in held.log().splitlines())


class Systemd:
    """The receiving end of the notification socket."""

    def __init__(self, s: Service) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(s.root / "notify"))
        self.socket.settimeout(60)
        s.environment |= {"NOTIFY_SOCKET": str(s.root / "notify"), "WATCHDOG_USEC": "6000000"}

    def hear(self, word: str) -> list[str]:
        """Return the lines up to the one that begins with `word`."""
        heard: list[str] = []
        while not any(line.startswith(word) for line in heard):
            heard += self.socket.recv(65536).decode().splitlines()
        return heard

    def forget(self) -> None:
        """Drop what has been received so far."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(65536)
        self.socket.settimeout(60)


@pytest.fixture
def systemd(held: Service) -> Iterator[Systemd]:
    """A systemd that listens to the service."""
    made = Systemd(held)
    with made.socket:
        yield made


def test_a_reload_by_signal_is_confirmed_also_where_there_is_nothing_to_reload(held: Service, systemd: Systemd) -> None:
    """systemctl reload waits for RELOADING=1 and then for READY=1."""
    held.current.unlink()
    argv = [*held.wrapper, *held.command, "run", str(held.config)]
    held.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=held.environment, close_fds=False)
    systemd.hear("READY=1")
    held.signal(signal.SIGHUP)
    assert any(line.startswith("MONOTONIC_USEC=") for line in systemd.hear("RELOADING=1"))
    systemd.hear("READY=1")
    held.switch("a")
    held.signal(signal.SIGHUP)
    systemd.hear("RELOADING=1")
    systemd.hear("READY=1")
    assert held.status()["state"] == "serving"


def test_the_watchdog_is_fed_by_a_successor_as_well(held: Service, systemd: Systemd) -> None:
    builds = Builds(held)
    start(held)
    systemd.hear("WATCHDOG=1")
    builds.install()
    builds.upgrade()
    systemd.forget()
    systemd.hear("WATCHDOG=1")
    assert held.status()["upgrade"]["result"] == "ok"


def test_a_master_that_stands_still_says_where_and_ends_before_systemd_ends_the_workers(
    held: Service, systemd: Systemd, tmp_path: Path
) -> None:
    """Its status file is a pipe without a reader: to open it blocks for ever."""
    start(held)
    systemd.hear("WATCHDOG=1")
    workers = held.pids()
    with held.hold(tmp_path / "barrier") as request:
        os.mkfifo(held.root / "state" / ".status.json.new")
        held.restart_file.touch()
        assert held.wait_exit() == 1
        assert "Timeout (" in held.log()
        assert "status_file.py" in held.log()
        assert any(alive(pid) for pid in workers)
        request.go()
        assert request.answer() == (200, "a")


# -- nothing to serve yet ---------------------------------------------------------------------------------------------


def ask(s: Service) -> tuple[int, str | None, str]:
    """Send a request on a new connection; return its status, Retry-After and body."""
    connection = s.open("/version")
    with contextlib.closing(connection):
        response = connection.getresponse()
        return response.status, response.headers["Retry-After"], response.read().decode()


def test_before_the_first_release_clients_are_answered_at_once_and_then_served(held: Service) -> None:
    held.current.unlink()
    start(held, "waiting")
    assert ask(held) == (503, "5", "blog: no release has been deployed yet\n")
    with load(held, 2, 2) as users:
        until(lambda: all("503" in user.versions for user in users), "all are answered")
        held.switch("a")
        for user in users:
            user.wait_for("a")
    for user in users:
        served = user.versions.index("a")
        assert (user.failures, set(user.versions[:served]), set(user.versions[served:])) == ([], {"503"}, {"a"})


def test_clients_learn_without_details_that_a_first_release_cannot_start(held: Service) -> None:
    held.release("broken", code="raise RuntimeError('the password is s3cret')")
    held.switch("broken")
    start(held, "failed")
    until(lambda: ask(held)[0] == 503, "clients are answered")
    assert ask(held)[2] == "blog: the release could not be started\n"
    held.switch("a")
    assert held.touch()["result"] == "ok"
    assert ask(held)[0] == 200


# -- without a socket of systemd --------------------------------------------------------------------------------------


def test_a_final_stop_answers_every_client_that_got_through(service: Start) -> None:
    """Until the port is closed; from then on all are refused, and none is cut off."""
    s = service(heartbeat={"interval": 0}).start()
    with load(s, 3, 1) as users:
        for user in users:
            user.wait_for_more()
        s.signal(signal.SIGTERM)
        assert s.wait_exit() == 0
        until(lambda: all(user.failures for user in users), "all are refused")
    assert {failure.partition("(")[0] for user in users for failure in user.failures} == {"ConnectionRefusedError"}


def test_workers_of_a_killed_master_finish_and_are_gone(service: Start, tmp_path: Path) -> None:
    s = service()
    app = s.current / "site_app.py"
    # Its output has no reader any more.
    app.write_text(app.read_text().replace("    body = ", "    print('x' * 100_000)\n    body = ", 1))
    s.start()
    workers = s.pids()
    with s.hold(tmp_path / "barrier") as request:
        s.signal(signal.SIGKILL)
        s.wait_exit()
        request.go()
        assert request.answer() == (200, "a")
    until(lambda: not any(alive(pid) for pid in workers), "the workers have gone", 15)
    with socket.create_server(("127.0.0.1", s.port)):
        assert s.status()["pid"], "the port is free, and only the status is left behind"


# -- the messages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", "booting", []),
        ("booting", "serving", ["READY=1"]),
        ("", "waiting", ["READY=1"]),
        ("booting", "failed", ["READY=1"]),
        ("serving", "reloading", ["RELOADING=1", "MONOTONIC_USEC=5"]),
        ("reloading", "serving", ["READY=1"]),
        ("reloading", "failed", ["READY=1"]),
        ("serving", "serving", []),
        ("failed", "serving", []),
        ("serving", "stopping", ["STOPPING=1"]),
    ],
)
def test_the_notification_of_each_change_of_state(before: str, after: str, lines: list[str]) -> None:
    assert state_message(before, after, 5, "fine").splitlines() == ["STATUS=fine", *lines]


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_message_arrives(tmp_path: Path, abstract: bool) -> None:
    path = f"@{tmp_path}/notify" if abstract else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path.replace("@", "\0"))
        receiver.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"})
        notifier.send("READY=1")
        assert receiver.recv(100) == b"READY=1"
        notifier.send("STATUS=generation 1, caf\udce9")
        assert receiver.recv(100) == rb"STATUS=generation 1, caf\udce9"
        assert notifier.watchdog_seconds == 2
    notifier.send("READY=1")
    assert notifier.lost == 1


def test_a_receiver_that_reads_nothing_does_not_block(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        for _ in range(10_000):
            notifier.send("STATUS=" + "x" * 100)
            if notifier.lost:
                break
        assert notifier.lost == 1


@pytest.mark.parametrize("environment", [{}, {"WATCHDOG_USEC": "4000000"}, {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""}])
def test_without_systemd_nothing_is_sent(environment: dict[str, str]) -> None:
    notifier = Notifier(environment)
    notifier.send("READY=1")
    assert notifier.lost == 0
    assert notifier.watchdog_seconds is None
