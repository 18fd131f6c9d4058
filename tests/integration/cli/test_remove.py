"""`remove`: what it takes from a server, and when it refuses."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk, Terminal
from tests.integration.playbooks.conftest import Upstream
from tests.support.releases.site import start_module
from tests.support.waiting import until

# A server without systemd: its files are in directories of the test.
PLAIN = ("-e", "project_system=false", "-e", "supervisor_systemd=false")


@pytest.fixture
def blog(desk: Desk, upstream: Upstream) -> Path:
    """A project that is live, with a configuration of procmon beside those of others."""
    path = desk.project("blog", upstream, ref="origin/main")
    assert desk.deploy("blog").code == 0
    for file in ("etc/blog.toml", "etc/blog.env", "etc/blogger.toml", "state/blog/status.json"):
        (desk.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / file).write_text("{}")
    return path


def options(desk: Desk) -> list[str]:
    """Return where procmon's files are."""
    own = {"supervisor_config_dir": desk.folder / "etc", "supervisor_state_dir": desk.folder / "state/blog"}
    return [*PLAIN, "-e", json.dumps(own, default=str)]


def test_the_configuration_goes_and_the_data_stays(desk: Desk, blog: Path) -> None:
    done = desk.deploy("blog", "remove", "--yes", *options(desk))
    assert done.code == 0, done.out
    assert [file.name for file in (desk.folder / "etc").iterdir()] == ["blogger.toml"]
    assert not (desk.folder / "state/blog").exists()
    assert (blog / "current/page").is_file()
    assert f"blog@localhost: kept {blog}; `deploy blog remove --data` removes it as well" in done.out
    assert "Now take the section blog out of projects.yml or deploy.conf: until then `deploy status` shows" in done.out
    again = desk.deploy("blog", "remove", "--yes", *options(desk))
    assert (again.code, "blog@localhost: removed nothing" in again.out) == (0, True)


def test_the_deploy_key_is_named_and_goes_with_the_data(desk: Desk, blog: Path) -> None:
    """Both halves, and no key of another project."""
    keys = desk.folder / "home/.ssh"
    keys.mkdir()
    for name in ("deploy_blog", "deploy_blog.pub", "deploy_blogger"):
        (keys / name).write_text("key")
    kept = desk.deploy("blog", "remove", "--yes", *options(desk))
    both = f"kept {blog} and the deploy key {keys}/deploy_blog; `deploy blog remove --data` removes both as well"
    assert (kept.code, both in kept.out) == (0, True), kept.out
    gone = desk.deploy("blog", "remove", "--yes", "--data", *options(desk))
    assert f"blog@localhost: removed {blog}, {keys}/deploy_blog, {keys}/deploy_blog.pub" in gone.out
    assert [file.name for file in keys.iterdir()] == ["deploy_blogger"]
    assert "removed nothing" in desk.deploy("blog", "remove", "--yes", "--data", *options(desk)).out


def test_the_data_goes_when_asked_for(desk: Desk, blog: Path) -> None:
    outside = desk.folder / "outside"
    outside.mkdir()
    (blog / "shared/uploads").symlink_to(outside)
    checked = desk.deploy("blog", "remove", "--data", "--check", *options(desk))
    assert (checked.code, f"{blog}" in checked.out, blog.exists()) == (0, True, True)
    assert desk.deploy("blog", "remove", "--data", "--yes", *options(desk)).code == 0
    assert not blog.exists()
    assert outside.is_dir(), "a link is removed, not what it leads to"
    again = desk.deploy("blog", "remove", "--data", "--yes", *options(desk))
    assert (again.code, "blog@localhost: removed nothing" in again.out) == (0, True)


def test_it_asks_and_without_a_terminal_refuses(desk: Desk, blog: Path) -> None:
    """The playbook alone does the same, as its question has no answer then."""
    refused = desk.deploy("blog", "remove")
    assert (refused.code, refused.err) == (
        *(2, "deploy: remove asks before it removes anything, and there is no terminal. Use --yes.\n"),
    )
    playbook = Path(desk.argv()[0]).with_name("ansible-playbook")
    for confirm in ("", "shop"):
        done = subprocess.run(
            [playbook, "-i", "projects.yml", "onetouch.deploy.remove", "-e", f"project=blog confirm={confirm}"],
            cwd=desk.folder,
            env=desk.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "Nothing was removed: the answer was not blog" in " ".join(done.stdout.split())
        assert "or give -e confirm=blog." in " ".join(done.stdout.split())
    assert (desk.folder / "etc/blog.toml").exists()
    assert blog.exists()


REFUSED = "✘ Nothing was removed: the answer was not blog."


@pytest.mark.parametrize(("answer", "code", "shows"), [("blog", 0, "blog@localhost: removed"), ("yes", 2, REFUSED)])
def test_on_a_terminal_the_name_is_the_answer(desk: Desk, blog: Path, answer: str, code: int, shows: str) -> None:
    """It shows what the answer means, in the place of the names of tasks."""
    ours = {"ANSIBLE_STDOUT_CALLBACK": "onetouch.deploy.terminal", "ONETOUCH_DEPLOY_LIVE": "false", "NO_COLOR": "1"}
    terminal = Terminal(desk, desk.argv("blog", "remove", "--data", *options(desk)), **ours)
    terminal.wait_for("This removes blog from localhost, with its directory: releases, clone and uploads.")
    terminal.answer(f"{answer}\r", shows=shows)
    assert terminal.end() == code, terminal.screen
    assert "[Remove blog]" in terminal.screen
    assert ("Run it again and type blog, or give --yes." in " ".join(terminal.screen.split())) == (code == 2)
    assert not re.search("Check the answer|Ask on", terminal.screen)
    assert blog.exists() == (code != 0)


def close(terminal: Terminal) -> None:
    os.close(terminal.leader)


def terminate(terminal: Terminal) -> None:
    terminal.process.terminate()


@pytest.mark.parametrize(("end", "code"), [(close, 129), (terminate, 143)], ids=["closed-terminal", "SIGTERM"])
def test_the_question_ends_with_its_terminal_or_by_a_signal(
    desk: Desk, blog: Path, end: Callable[[Terminal], None], code: int
) -> None:
    """Ansible waits for the answer, which can no longer be given. The terminal is as it was."""
    terminal = Terminal(desk, desk.argv("blog", "remove", "--data", *options(desk)))
    before = termios.tcgetattr(terminal.leader)
    terminal.wait_for("Type blog to go on")
    until(lambda: termios.tcgetattr(terminal.leader) != before, "the question")
    end(terminal)
    assert terminal.process.wait(60) == code
    assert end is close or termios.tcgetattr(terminal.leader) == before
    assert blog.exists()


def test_a_running_deploy_is_not_disturbed(desk: Desk, blog: Path) -> None:
    with (blog / ".deploy.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"by": "tj", "doing": "deploy v1", "since": "2026-11-26T00:00:00Z", "pid": os.getpid()}))
        lock.flush()
        done = desk.deploy("blog", "remove", "--data", "--yes", *options(desk))
        lock.truncate(0)
    assert done.code == 2
    words = " ".join(done.out.split())
    assert "another run holds the lock: tj (deploy v1)" in words
    assert "Nothing was removed" in words
    assert (desk.folder / "etc/blog.toml").exists()
    assert (blog / "current/page").is_file()


def test_what_is_no_project_is_not_removed(desk: Desk, upstream: Upstream) -> None:
    """A wrong path in the configuration must not cost a home directory."""
    path = desk.project("blog", upstream)
    path.mkdir(parents=True)
    (path / "thesis").write_text("years")
    done = desk.deploy("blog", "remove", "--data", "--yes", *options(desk))
    assert done.code == 2
    words = " ".join(done.out.split())
    assert f"{path} is not the directory of a project: it has thesis, and none of source, current, releases" in words
    assert "or remove the directory by hand. Nothing was removed" in words
    assert (path / "thesis").exists()


def test_what_a_setup_without_a_clone_has_left_goes_with_the_data(desk: Desk, upstream: Upstream) -> None:
    """As where the git server does not take the deploy key yet: the configuration and the key are there."""
    path = desk.project("blog", upstream)
    path.mkdir(parents=True)
    options_of_setup: dict[str, object] = {
        "name": "blog",
        "path": str(path),
        "config": {"app": "main:app", "bind": "127.0.0.1:3001"},
    }
    _out, errors = start_module("project_configuration", options_of_setup).communicate(timeout=60)
    assert sorted(entry.name for entry in path.iterdir()) == [".deploy.lock", "configs", "procmon.toml"], errors
    kept = desk.deploy("blog", "remove", "--yes", *options(desk))
    assert (kept.code, f"kept {path};" in kept.out) == (0, True), kept.out
    gone = desk.deploy("blog", "remove", "--data", "--yes", *options(desk))
    assert (gone.code, f"blog@localhost: removed {path}\n" in gone.out) == (0, True), gone.out
    assert not path.exists()
