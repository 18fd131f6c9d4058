"""Workers that are forked from a zygote, which has imported the app for all of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

from .builds import Builds
from .service import APP, Service, Start, alive
from .users import load, lost

COUNTED = """
with open({log!r}, "a") as log:
    print(os.getpid(), file=log)
"""


def counted(tmp_path: Path, more: str = "") -> str:
    """The app, which writes down each process that imports it."""
    return APP.read_text() + COUNTED.format(log=str(tmp_path / "imports")) + more


def imports(tmp_path: Path) -> list[int]:
    """Who has imported the app so far."""
    return [int(pid) for pid in (tmp_path / "imports").read_text().split()]


@pytest.fixture
def s(service: Start, tmp_path: Path) -> Service:
    """Give a service that preloads, at its first release."""
    made = service(heartbeat={"interval": 0}, worker={"preload": True})
    (made.root / "releases/a/site_app.py").write_text(counted(tmp_path))
    return made.start()


def test_an_app_is_imported_once_for_all_workers_of_a_generation(s: Service, tmp_path: Path) -> None:
    (zygote,) = imports(tmp_path)
    workers = s.pids()
    assert zygote not in workers
    assert {s.get()[1] for _ in range(50)} <= {str(pid) for pid in workers}
    assert s.deploy("b", code=counted(tmp_path))["result"] == "ok"
    assert len(imports(tmp_path)) == 2
    s.wait_version("b")
    until(lambda: not alive(zygote), "the old zygote goes with the last of its workers")
    assert all(alive(pid) for pid in [*s.pids(), imports(tmp_path)[1]])


def test_a_worker_that_is_lost_is_forked_again(s: Service, tmp_path: Path) -> None:
    victim, other = s.pids()
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(s.pids()) == 2 and victim not in s.pids(), "it is replaced")
    assert other in s.pids()
    assert len(imports(tmp_path)) == 1


def test_a_zygote_that_is_lost_is_replaced_when_it_is_needed(s: Service, tmp_path: Path) -> None:
    (zygote,), (victim, other) = imports(tmp_path), s.pids()
    os.kill(zygote, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{zygote}").exists(), "it is reaped")
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(s.pids()) == 2 and victim not in s.pids(), "it is replaced")
    assert other in s.pids()
    assert len(imports(tmp_path)) == 2


def test_reloads_lose_nothing(s: Service, tmp_path: Path) -> None:
    with load(s) as users:
        for version in ("b", "c", "d"):
            assert s.deploy(version, code=counted(tmp_path))["result"] == "ok"
            for user in users:
                user.wait_for_more()
    assert lost(users) == []
    assert len(imports(tmp_path)) == 4


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ValueError('no such thing')\n", "ValueError: no such thing"),
        ("import os\nos.kill(os.getpid(), 9)\n", "SIGKILL"),
        ("app = None\n", "probe"),
    ],
)
def test_an_app_that_cannot_be_imported_changes_nothing(s: Service, code: str, says: str) -> None:
    before = s.pids()
    answer = s.deploy("b", code=code)
    assert answer["result"] == "failed"
    assert says in answer["error"]
    assert s.pids() == before
    assert s.version() == "a"


def test_an_import_that_hangs_ends_with_the_boot(service: Start, tmp_path: Path) -> None:
    s = service(heartbeat={"interval": 0}, worker={"preload": True}, reload={"boot_timeout": 3}).start()
    hanging = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    answer = s.deploy("b", code=hanging)
    assert answer["result"] == "failed"
    assert s.version() == "a"
    until(lambda: not alive(int((tmp_path / "pid").read_text())), "the zygote is gone")


UNSAFE = {
    "a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
        "thread",
    ),
    "a socket": ("import socket\nkept = socket.socket()\n", "socket:"),
    "a database": ("kept = open('database', 'w+')\n", "database"),
}


@pytest.mark.parametrize("more", UNSAFE)
def test_what_is_unsafe_to_fork_is_refused_and_serves_all_the_same(s: Service, tmp_path: Path, more: str) -> None:
    before = len(imports(tmp_path))
    code, says = UNSAFE[more]
    assert s.deploy("b", code=counted(tmp_path, code))["result"] == "ok"
    assert "preload is not safe for this app" in s.log()
    assert says in s.log()
    assert len(imports(tmp_path)) == before + 3, "the zygote, and each of two workers"
    assert set(s.pids()) <= set(imports(tmp_path))


def test_forked_workers_have_nothing_in_common_that_should_be_their_own(s: Service, tmp_path: Path) -> None:
    """Random numbers, process groups, the mark by which what they start is known."""
    for pid in s.pids():
        assert os.getpgid(pid) == os.getsid(pid) == pid
    random = "\nimport random\ndef number():\n    return random.random()\n"
    answers: dict[str, Any] = {}
    code = counted(tmp_path, random) + "\n"
    code = code.replace("Path.cwd()", "os.environ['PROCMON_WORKER'] + ':' + str(number())")
    assert s.deploy("b", code=code)["result"] == "ok"
    s.wait_version("b")

    def both_have_answered() -> bool:
        _version, pid, _colour, said, *_ = s.get()
        answers.setdefault(pid, said)
        return len(answers) == 2

    until(both_have_answered, "both have answered")
    marks, numbers = zip(*(said.split(":") for said in answers.values()), strict=True)
    assert len(set(marks)) == len(set(numbers)) == 2


def test_nothing_is_left_of_a_procmon_that_was_killed(s: Service, tmp_path: Path) -> None:
    (zygote,), workers = imports(tmp_path), s.pids()
    s.signal(signal.SIGKILL)
    s.wait_exit()
    until(lambda: not any(alive(pid) for pid in [zygote, *workers]), "zygote and workers have gone")
    assert s.start().version() == "a"


def test_nothing_is_left_of_a_procmon_that_has_stopped(s: Service, tmp_path: Path) -> None:
    (zygote,), workers = imports(tmp_path), s.pids()
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    until(lambda: not any(alive(pid) for pid in [zygote, *workers]), "zygote and workers have gone")


def test_an_upgrade_keeps_the_workers_and_brings_a_new_zygote_when_one_is_needed(
    service: Start, tmp_path: Path
) -> None:
    s = service(heartbeat={"interval": 0}, worker={"preload": True})
    (s.root / "releases/a/site_app.py").write_text(counted(tmp_path))
    builds = Builds(s)
    s.start()
    (zygote,), workers = imports(tmp_path), s.pids()
    builds.install()
    builds.upgrade()
    assert s.pids() == workers
    until(lambda: not Path(f"/proc/{zygote}").exists(), "the zygote has gone, and is reaped")
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(s.pids()) == 2 and workers[0] not in s.pids(), "it is replaced")
    assert len(imports(tmp_path)) == 2
