"""Releases that cannot serve: whatever is wrong with them, the old one keeps serving and the reason is reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.support.procmon.load import Users, busy
from tests.support.procmon.service import Service, Start, alive
from tests.support.waiting import until

Sabotage = Callable[[Path], object]
APP = "async def app(scope, receive, send):\n    {}\n"
ANSWERS = "await send({'type': 'http.response.start', 'status': %d, 'headers': []})"
ENDS = "await send({'type': 'http.response.body'})"
STARTS_CHILD = """
import subprocess
from pathlib import Path
child = subprocess.Popen(["sleep", "3600"])
Path(__file__).with_name("child").write_text(str(child.pid))
"""


@pytest.fixture(scope="module")
def s(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose release is good; it serves all tests here, one broken deploy after the other."""
    made = Service(tmp_path_factory.mktemp("boot"), heartbeat={"interval": 0})
    made.release("a")
    made.switch("a")
    with contextlib.closing(made):
        yield made.start()


@pytest.fixture(scope="module")
def users(s: Service) -> Iterator[list[Users]]:
    """Keep it busy meanwhile."""
    with busy(s) as found:
        yield found


def code(text: str) -> Sabotage:
    """Write this as the app."""
    return lambda release: (release / "site_app.py").write_text(text)


def lose_app(release: Path) -> None:
    """Take the app away."""
    (release / "site_app.py").unlink()


def lose_environment(release: Path) -> None:
    """Point the release's environment to one that has been removed."""
    (release / ".venv" / "bin").mkdir(parents=True)
    (release / ".venv" / "bin" / "python").symlink_to(release / "gone" / "python")


def lose_release(release: Path) -> None:
    """Take all of it away, so that `current` leads nowhere."""
    for path in release.iterdir():
        path.unlink()
    release.rmdir()


def become_file(release: Path) -> None:
    """Point `current` to a file."""
    lose_release(release)
    release.touch()


SABOTAGES: dict[str, tuple[Sabotage, str]] = {
    "name": (code("def f():\n    undefined_name\nf()\n"), "NameError: name 'undefined_name' is not defined"),
    "module": (code("import nothing_of_this_name\n"), "No module named 'nothing_of_this_name'"),
    "syntax": (code("def app(:\n"), "SyntaxError"),
    "attribute": (code("other = 1\n"), 'Attribute "app" not found in module "site_app"'),
    "lifespan raises": (code(APP.format("await receive(); raise RuntimeError('no database')")), "no database"),
    "lifespan fails": (
        code(APP.format("await receive(); await send({'type': 'lifespan.startup.failed', 'message': 'no cache'})")),
        "no cache",
    ),
    "exit 0": (code("import os\nos._exit(0)\n"), "exit status 0"),
    "exit 3": (code("import sys\nsys.exit(3)\n"), "SystemExit: 3"),
    "crash": (code("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"), "SIGSEGV"),
    "probe raises": (code(APP.format("raise RuntimeError('only when asked')")), "the app answered 500"),
    "probe 404": (code(APP.format(f"{ANSWERS % 404}; {ENDS}")), "the app answered 404; heartbeat.accept is [200, 302]"),
    "probe kills": (
        code(APP.format("import os; os._exit(5) if scope['type'] == 'http' else 1 / 0")),
        "Server disconnected without sending a response | exited (exit status 5)",
    ),
    "no app": (lose_app, "app = site_app:app"),
    "no environment": (lose_environment, "does not exist or cannot be executed"),
    "no release": (lose_release, "does not exist"),
    "no directory": (become_file, "is not a directory"),
}


@pytest.mark.parametrize(("sabotage", "error"), SABOTAGES.values(), ids=SABOTAGES)
def test_a_broken_release_changes_nothing_and_says_why(
    s: Service, users: list[Users], sabotage: Sabotage, error: str, request: pytest.FixtureRequest
) -> None:
    old, served = s.pids(), len(users[0].versions)
    release = s.release(request.node.callspec.id)
    sabotage(release)
    s.switch(release.name)
    answer = s.touch()
    assert answer["result"] == "failed"
    # Whichever of two ends of one failure is seen first.
    assert any(one in answer["error"] for one in error.split(" | "))
    assert any(one in s.log() for one in error.split(" | "))
    until(lambda: len(s.status()["workers"]) == 2, "nothing is left of the new ones")
    assert s.pids() == old
    assert all(alive(pid) for pid in old)
    assert (s.status()["state"], s.status()["release"]) == ("serving", str(s.root / "releases" / "a"))
    until(lambda: len(users[0].versions) > served, "the users are served")
    assert [failure for user in users for failure in user.failures] == []
    assert {version for user in users for version in user.versions} == {"a"}


def test_a_traceback_begins_with_the_apps_first_line(s: Service) -> None:
    answer = s.deploy("traced", code="def deep():\n    1 / 0\ndeep()\n")
    assert 'site_app.py", line 3, in <module>' in answer["error"]
    assert answer["error"].endswith("ZeroDivisionError: division by zero")


HANGS = {
    "import": ("import time\ntime.sleep(3600)\n", "still starting after"),
    "lifespan": (APP.format("await receive(); await receive()"), "still loaded after"),
    "probe": (
        "import asyncio\n" + APP.format("await asyncio.sleep(3600 / (scope['type'] == 'http'))"),
        "within",
    ),
}


def test_a_boot_that_hangs_ends_at_its_timeout_with_all_that_it_has_started(service: Start) -> None:
    """At each of its three stages; three services at the same time, because each waits for its timeout."""
    services = {stage: service(workers=1, reload={"boot_timeout": 4}, heartbeat={"interval": 0}) for stage in HANGS}

    def hang(stage: str) -> str:
        s = services[stage].start()
        answer = s.deploy("hanging", code=STARTS_CHILD + HANGS[stage][0])
        assert answer["result"] == "failed"
        return str(answer["error"])

    with ThreadPoolExecutor() as pool:
        errors = dict(zip(HANGS, pool.map(hang, HANGS), strict=True))
    for stage, s in services.items():
        assert HANGS[stage][1] in errors[stage]
        assert s.version() == "a"
        child = int((s.root / "releases" / "hanging" / "child").read_text())
        until(partial(is_dead, child), "its child is gone")
        until(partial(has_one_worker, s), "nothing is left of it")
    assert "site_app.py" in services["import"].log(), "SIGABRT has shown where it hangs"


def is_dead(pid: int) -> bool:
    """Return whether a process has ended."""
    return not alive(pid)


def has_one_worker(s: Service) -> bool:
    """Return whether just one is left."""
    return len(s.status()["workers"]) == 1


def test_a_redirect_counts_as_healthy(service: Start) -> None:
    s = service(workers=1, heartbeat={"interval": 0.2}).start()
    body = f"assert scope['type'] == 'http'; {ANSWERS % 302}; {ENDS}"
    assert s.deploy("moved", code=APP.format(body))["result"] == "ok"
    until(lambda: s.status()["heartbeat"]["status"] == 302, "the heartbeat is well, too")
    assert s.status()["heartbeat"]["failures"] == 0


def test_a_switch_in_the_middle_of_a_boot_does_not_mix_releases(service: Start) -> None:
    s = service(workers=3, heartbeat={"interval": 0}).start()
    b, _ = s.begin("b"), s.release("c")
    s.switch("c")
    (b / "go").touch()
    assert s.answer()["result"] == "ok"
    s.wait_version("b")
    until(lambda: len(s.status()["workers"]) == 3, "the old workers have gone")
    assert {Path(f"/proc/{pid}/cwd").resolve() for pid in s.pids()} == {b}
    assert s.touch()["result"] == "ok"
    s.wait_version("c")


def test_a_switch_and_a_touch_in_the_middle_of_a_boot_start_over(service: Start) -> None:
    s = service(heartbeat={"interval": 0}).start()
    _, c = s.begin("b"), s.release("c")
    s.switch("c")
    assert s.touch()["result"] == "ok", "without waiting for the one that would never come up"
    s.wait_version("c")
    assert s.status()["release"] == str(c)


# -- the probe --------------------------------------------------------------------------------------------------------

RAISES_LATE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    if not BAD:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})
        return
    # As FastAPI does: the error page first, then the exception for the server's log.
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"Internal Server Error"})
    {}["the missing key"]
"""


@pytest.mark.parametrize("uvicorn", [{"http": "h11", "loop": "asyncio"}, {"http": "httptools", "loop": "uvloop"}])
def test_an_exception_after_the_error_page_is_in_the_log_and_in_the_answer(
    service: Start, uvicorn: dict[str, object]
) -> None:
    s = service(uvicorn=uvicorn, heartbeat={"interval": 0}).start()
    answer = s.deploy("b", code=f"BAD = True\n{RAISES_LATE}")
    assert answer["result"] == "failed"
    for text in ("the app answered 500", "KeyError: 'the missing key'", "site_app.py"):
        assert text in answer["error"]
        assert text in s.log()


def test_a_broken_first_release_leaves_nothing_serving_and_the_reason_is_reported(service: Start) -> None:
    s = service(heartbeat={"interval": 0})
    s.release("b", code=f"BAD = True\n{RAISES_LATE}")
    s.switch("b")
    s.start("failed")
    until(lambda: "KeyError: 'the missing key'" in s.status()["restart"]["error"], "the reason is reported")


WARMING = """
from pathlib import Path

HERE = Path(__file__).parent


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    with (HERE / "asked").open("a") as asked:
        asked.write(".")
    status = 200 if (HERE / "warm").exists() else 503
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"b 1"})
"""


def test_an_app_that_warms_up_is_asked_until_it_is_ready(service: Start) -> None:
    s = service(workers=2, heartbeat={"interval": 0}).start()
    release = s.release("b", code=WARMING)
    s.switch("b")
    s.restart_file.touch()
    asked = release / "asked"
    until(lambda: asked.exists() and len(asked.read_text()) > 4, "it is asked again and again")
    assert s.version() == "a"
    (release / "warm").touch()
    assert s.answer()["result"] == "ok"
    s.wait_version("b")


def test_an_app_that_stays_unready_fails_the_reload_with_the_keys_that_decide(service: Start) -> None:
    s = service(heartbeat={"interval": 0}, reload={"boot_timeout": 2}).start()
    answer = s.deploy("b", code=WARMING)
    assert answer["result"] == "failed"
    assert "GET / (heartbeat.path): the app answered 503; heartbeat.accept is [200, 302]" in answer["error"]


def test_the_probe_looks_like_a_user(service: Start) -> None:
    """Middleware reads the client's address, as FastAPI's request.client.host."""
    code = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    assert scope["client"][0] == "127.0.0.1" and scope["server"] == ("127.0.0.1", PORT), scope
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"b 1"})
"""
    s = service(heartbeat={"interval": 0}).start()
    assert s.deploy("b", code=code.replace("PORT", str(s.port)))["result"] == "ok"
    s.wait_version("b")


def test_a_slow_import_has_the_whole_boot_timeout_for_each_worker(service: Start) -> None:
    s = service(workers=5, heartbeat={"interval": 0}, reload={"boot_timeout": 12}).start()
    app = s.release("b") / "site_app.py"
    app.write_text("import time\ntime.sleep(7)\n" + app.read_text().replace("from __future__ import annotations\n", ""))
    s.switch("b")
    assert s.touch()["result"] == "ok", "two batches take longer than the limit of one worker"


@pytest.mark.parametrize("app", ["site_app:create_app()", "site_app:create_app"])
def test_a_factory(service: Start, app: str) -> None:
    s = service(app=app, uvicorn={} if app.endswith(")") else {"factory": True}, heartbeat={"interval": 0})
    path = s.current / "site_app.py"
    path.write_text(path.read_text() + "\n\ndef create_app():\n    return app\n")
    assert s.run("check").returncode == 0
    assert s.start().version() == "a"
