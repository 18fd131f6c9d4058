"""Releases that are broken: the command fails and names the reason, and the release before goes on serving."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command import Laptop
from load import load
from server import Server
from upstream import Upstream

BLOG = 3001
APP = Path(__file__).parents[2] / "shared/setup/app"
NEVER_READY = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"not yet"})
"""
STARTUP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the database is away"})
"""
CRASH = "import os, threading\nthreading.Timer(0.05, os._exit, (7,)).start()\nimport time\ntime.sleep(5)\n"


@dataclass(frozen=True)
class Break:
    """How a release is broken, and what the command says about it."""

    reason: str
    files: dict[str, str] = field(default_factory=dict)
    version: str = "breaks"
    outcome: str = "put_back"
    # The test is asked when the release serves.
    serves_first: bool = False


BREAKS = {
    "the app does not import": Break("No module named 'absent'", {"main.py": "import absent\n"}),
    "a file has a mistake": Break("SyntaxError", {"main.py": "def app(:\n"}),
    "the app has another name": Break('Attribute "app" not found in module "main"', {"main.py": "other = 1\n"}),
    "the worker crashes while it starts": Break("exited (exit status 7)", {"main.py": CRASH}),
    "the startup fails": Break("the database is away", {"main.py": STARTUP}),
    "the app is never ready": Break("the app answered 503", {"main.py": NEVER_READY}),
    "the hook fails": Break("the hook does not like", version="hook"),
    "the test fails": Break("this is not what was wanted", version="unwanted", serves_first=True),
    "a package does not exist": Break(
        "onetouch-deploy-no-such-package",
        {"requirements.txt": "onetouch-deploy-no-such-package==1\n"},
        outcome="failed",
    ),
    "uvicorn is missing": Break("uvicorn is not installed", {"requirements.txt": "h11\n"}),
}


@pytest.fixture(autouse=True)
def _serves(laptop: Laptop, upstream: Callable[[str], Upstream]) -> None:
    """A release that works is live."""
    upstream("blog").publish("whole", {name: (APP / name).read_text() for name in ("main.py", "requirements.txt")})
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output


@pytest.mark.timeout(300)
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_broken_release_is_refused_with_its_reason(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream], broken: Break
) -> None:
    before = web1.run("readlink", "/srv/blog/current"), web1.run("cat", "/srv/blog/.deploys")
    commit = upstream("blog").publish(broken.version, broken.files)
    with load(web1, BLOG) as report:
        done = laptop.run("deploy", project="blog")
    assert done.code != 0
    assert broken.reason in done.text, done.output
    assert report.lost == []
    assert set(report.answers) - ({broken.version} if broken.serves_first else set()) == {"whole"}
    assert (web1.run("readlink", "/srv/blog/current"), web1.run("cat", "/srv/blog/.deploys")) == before
    last = json.loads(web1.run("tail", "-n", "1", "/srv/blog/.deploys.jsonl"))
    assert (last["commit"], last["outcome"]) == (commit, broken.outcome)


@pytest.mark.timeout(300)
def test_a_broken_first_release_leaves_nothing_live(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]
) -> None:
    done = laptop.run("remove", project="blog", confirm="blog", data="true")
    assert done.code == 0, done.output
    assert laptop.set_up("blog").code == 0
    upstream("blog").publish("first", {"main.py": "import absent\n"})
    done = laptop.run("deploy", project="blog")
    assert done.code != 0
    assert "No module named 'absent'" in done.text
    assert "Nothing was live before" in done.text
    assert web1.run("find", "/srv/blog", "-maxdepth", "1", "-name", "current") == ""
