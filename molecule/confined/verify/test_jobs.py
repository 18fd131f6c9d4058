"""docs/jobs.md as it stands, on servers where the project's user has a systemd: a worker, and a job by the clock.

celery and manage.py are stand-ins in the app's repository: the page's commands find them there.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command import Done, Laptop
from procmon import wait_for
from server import Server
from upstream import Upstream

PAGE = (Path(__file__).parents[3] / "docs/jobs.md").read_text()
APP = Path(__file__).parents[1] / "attempts.py"
WORKER, REPORT = "/var/www/blog/shared/worker", "/var/www/blog/shared/report"
CELERY = f"""
import os, pathlib, signal, sys
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
version = pathlib.Path("VERSION").read_text().strip()
pathlib.Path("{WORKER}").write_text(f"{{version}} {{os.environ['GREETING']}} {{' '.join(sys.argv[1:])}}")
while not stopped:
    signal.sigtimedwait([], 0.1)
"""
MANAGE = f"""
import os, pathlib, sys
version = pathlib.Path("VERSION").read_text().strip()
pathlib.Path("{REPORT}").write_text(f"{{version}} {{os.environ['GREETING']}} {{sys.argv[1]}}")
"""
Of = Callable[[str], Upstream]


def blocks(kind: str) -> list[str]:
    """Return the blocks of the page in a language; those without one are what is typed."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language == kind]


def hooks() -> list[str]:
    """Return the three post_deploy of the page: for the worker, for the timer, and for a unit of the system."""
    return [yaml.safe_load(block)["post_deploy"] for block in blocks("yaml")]


def typed(beginning: str) -> list[str]:
    """Return the words of the commands of the page that begin so, without that."""
    return [line.removeprefix(beginning) for block in blocks("") for line in block.splitlines() if beginning in line]


def publish(upstream: Of, version: str, main: str | None = None) -> None:
    """Push a version of the app with the jobs of the page."""
    worker, report, timer = blocks("ini")
    files = {"deploy/blog-worker.service": worker, "deploy/blog-report.service": report}
    files |= {"deploy/blog-report.timer": timer, "celery/__main__.py": CELERY, "manage.py": MANAGE}
    upstream("blog").publish(version, {**files, "main.py": main or APP.read_text()})


def deploy(laptop: Laptop) -> Done:
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    return done


def runs(server: Server, version: str) -> None:
    """Wait until the worker runs a version, with the variables of the app."""
    expected = f"{version} hello --app blog worker"
    wait_for(lambda: server.run("sh", "-c", f"cat {WORKER} || true") == expected, f"the worker runs {expected}", 120)


def execute(laptop: Laptop, words: str) -> str:
    """Run a command of the page in the live release; the page has the words after `exec`."""
    done = laptop.run("exec", "-e", json.dumps({"argv": shlex.split(words)}), project="blog")
    assert done.code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def jobs(laptop: Laptop, servers: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """The laptop of a project with the worker and the timer of the page, whose user's units run without a login."""
    [command] = typed("ssh root@example.org ")
    for server in servers:
        server.run(*command.split())
    return laptop.with_settings(tmp_path_factory.mktemp("jobs"), "blog", post_deploy="".join(hooks()[:2]))


@pytest.mark.timeout(600)
def test_a_worker_runs_the_live_release_and_is_restarted_by_each_deploy(
    jobs: Laptop, servers: list[Server], upstream: Of
) -> None:
    for version in ("one", "two"):
        publish(upstream, version)
        deploy(jobs)
        for server in servers:
            runs(server, version)
    publish(upstream, "three", "raise RuntimeError('this version does not start')\n")
    failed = jobs.run("deploy", project="blog")
    assert failed.code != 0
    assert "this version does not start" in failed.text
    runs(servers[0], "two")


@pytest.mark.timeout(300)
def test_the_page_shows_what_they_do(jobs: Laptop) -> None:
    status, timers = (execute(jobs, words) for words in typed("deploy blog exec "))
    assert status.count("Active: active (running)") == 2, status
    assert timers.count("blog-report.timer") == 2, timers


@pytest.mark.timeout(300)
def test_a_job_by_the_clock_runs_in_the_live_release(jobs: Laptop, servers: list[Server]) -> None:
    """Its service is started as the timer would."""
    execute(jobs, "sh -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user start blog-report.service'")
    assert [server.run("cat", REPORT) for server in servers] == ["two hello report"] * 2


@pytest.mark.timeout(300)
def test_the_worker_comes_back_after_a_boot(servers: list[Server]) -> None:
    """Without a login: that is what lingering is for. The other server plays the git server, and keeps its address."""
    debian13 = servers[1]
    debian13.run("rm", WORKER)
    debian13.reboot()
    runs(debian13, "two")


@pytest.mark.timeout(300)
def test_a_unit_of_the_system_is_restarted_by_one_line_for_sudo(
    laptop: Laptop, servers: list[Server], upstream: Of, tmp_path: Path
) -> None:
    """The user may do that and nothing else as root."""
    [line] = blocks("text")
    for server in servers:
        server.run("rm", "-f", "/etc/sudoers.d/deploy")
        server.write("/etc/sudoers.d/blog", line)
        server.write(
            "/etc/systemd/system/blog-worker.service", blocks("ini")[0].replace("[Service]", "[Service]\nUser=deploy")
        )
        server.run("systemctl", "daemon-reload")
        server.run(
            "runuser",
            "-u",
            "deploy",
            "--",
            "env",
            "XDG_RUNTIME_DIR=/run/user/1000",
            "systemctl",
            "--user",
            "stop",
            "blog-worker",
        )
    publish(upstream, "four")
    deploy(laptop.with_settings(tmp_path, "blog", post_deploy=hooks()[2]))
    for server in servers:
        runs(server, "four")
        assert server.run("systemctl", "show", "--property=User,ActiveState", "--value", "blog-worker").split() == [
            *("active", "deploy")
        ]
        refused = server.run("sh", "-c", "runuser -u deploy -- sudo -n systemctl restart ssh 2>&1 || true")
        assert "password is required" in refused
