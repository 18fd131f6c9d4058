"""The commands that talk to a running procmon: what they touch and signal, and what users read when they may not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import procmon
import pytest
from procmon import client
from procmon.cli import main
from procmon.master import lock
from procmon.master.restart_file import SECOND_NS
from procmon.master.status_file import StatusFile, report

from tests.support.procmon.story import Story

OTHER_USER = 65534


class Project:
    """A configuration, and what a running procmon keeps in its state directory."""

    def __init__(self, root: Path) -> None:
        self.config = root / "blog.toml"
        self.state = root / "state"
        self.restart_file = root / "public" / "restart"
        self.restart_file.parent.mkdir()
        self.config.write_text(
            f'name = "blog"\napp = "blog:app"\ndirectory = "{root}"\nbind = "127.0.0.1:3001"\n'
            f'restart_file = "public/restart"\nstate_dir = "{self.state}"\n'
        )

    def run(self, command: str, *arguments: str) -> int:
        """Run a command."""
        return main([command, str(self.config), *arguments])

    def touch(self) -> int:
        """Run `reload` and return the stamp that it has left."""
        assert self.run("reload") == 0
        return self.restart_file.stat().st_mtime_ns


def served(restart_file: Path) -> dict[str, Any]:
    """Return the status of a procmon that serves, and watches a restart file."""
    core = Story().served().core
    return {**report(core, {}, core.config), "restart_file": str(restart_file)}


@pytest.fixture
def project() -> Iterator[Project]:
    """A project in a directory that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        yield Project(Path(root))


@pytest.fixture
def running(project: Project) -> Iterator[Project]:
    """A project whose procmon, another process, seems to run and to serve."""
    fd = lock.acquire(project.state)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        (project.state / lock.NAME).write_text(f"{process.pid}\n")
        StatusFile(project.state).write({**served(project.restart_file), "pid": process.pid})
        yield project
        process.kill()
    os.close(fd)


@contextlib.contextmanager
def as_other_user() -> Iterator[None]:
    """Be another user, who may signal no process of root."""
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    os.setresuid(OTHER_USER, OTHER_USER, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


# -- reload -----------------------------------------------------------------------------------------------------------


def test_each_reload_leaves_a_newer_stamp(running: Project) -> None:
    stamps = [running.touch() for _ in range(20)]
    assert stamps == sorted(set(stamps))


def keep_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round the times of files to whole seconds, as some file systems do."""
    real = os.utime

    def utime(path: Path, ns: tuple[int, int] | None = None) -> None:
        real(path, ns=ns) if ns else real(path)
        whole = Path(path).stat().st_mtime_ns // SECOND_NS * SECOND_NS
        real(path, ns=(whole, whole))

    monkeypatch.setattr(os, "utime", utime)


def test_each_reload_leaves_a_newer_stamp_where_whole_seconds_are_kept(
    running: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_whole_seconds(monkeypatch)
    stamps = [running.touch() for _ in range(5)]
    assert stamps == sorted(set(stamps))
    assert all(stamp % SECOND_NS == 0 for stamp in stamps)


def test_the_stamp_is_newer_than_the_one_that_was_answered_last(running: Project) -> None:
    """As after a deletion of the file, or a step of the clock."""
    answered = 4_000_000_000 * SECOND_NS
    status = served(running.restart_file)
    status["restart"]["stamp"] = answered
    StatusFile(running.state).write(status)
    assert running.touch() > answered


def test_a_restart_file_made_by_root_belongs_to_the_owner_of_its_directory(running: Project) -> None:
    os.chown(running.restart_file.parent, OTHER_USER, OTHER_USER)
    running.touch()
    found = running.restart_file.stat()
    assert (found.st_uid, found.st_gid) == (OTHER_USER, OTHER_USER)
    with as_other_user():
        os.utime(running.restart_file)


def test_an_existing_restart_file_keeps_its_owner(running: Project) -> None:
    running.restart_file.touch()
    os.chown(running.restart_file.parent, OTHER_USER, OTHER_USER)
    running.touch()
    assert running.restart_file.stat().st_uid == 0


# -- root --------------------------------------------------------------------------------------------------------------


def as_root(command: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of root."""
    assert os.geteuid() == 0, "this test gives files away: run it as root"
    argv = [sys.executable, "-m", "procmon", command, str(config)]
    environment = {**os.environ, "PYTHONPATH": str(Path(procmon.__file__).parents[1])}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def given_file(project: Project) -> Path:
    os.chown(project.config, OTHER_USER, OTHER_USER)
    return project.config


def given_directory(project: Project) -> Path:
    """In it the user may replace what is root's."""
    os.chown(project.config.parent, OTHER_USER, OTHER_USER)
    return project.config


def given_link(project: Project) -> Path:
    """As /etc/procmon has it: root's link leads to the user's, which leads to a file of root."""
    links = [project.config.with_name(name) for name in ("theirs", "ours")]
    links[0].symlink_to(project.config)
    links[1].symlink_to("./theirs")
    os.chown(links[0], OTHER_USER, OTHER_USER, follow_symlinks=False)
    return links[1]


@pytest.mark.parametrize("give", [given_file, given_directory, given_link])
@pytest.mark.parametrize("command", ["reload", "stop", "upgrade"])
def test_root_acts_as_the_user_who_decides_what_is_in_the_configuration(
    running: Project, command: str, give: Callable[[Project], Path]
) -> None:
    """That user may create no file of root, and stop no process of another."""
    running.config.write_text(running.config.read_text().replace("public/restart", "public/root/restart"))
    done = as_root(command, give(running))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Run this command as root" in done.stderr
    assert (command == "reload") == (f"or let nobody own {running.restart_file.parent}" in done.stderr)
    assert not running.restart_file.parent.joinpath("root").exists()
    os.kill(int((running.state / lock.NAME).read_text()), 0)


def test_root_reloads_a_project_of_a_user(running: Project) -> None:
    for path in (running.config.parent, *running.config.parent.rglob("*")):
        os.chown(path, OTHER_USER, OTHER_USER)
    done = as_root("reload", running.config)
    assert not done.stderr
    assert done.returncode == 0
    assert running.restart_file.stat().st_uid == OTHER_USER


def test_root_reads_of_a_configuration_that_is_not_there(project: Project) -> None:
    done = as_root("reload", project.config.with_name("other.toml"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "No such file" in done.stderr


# -- what users read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["reload", "stop", "upgrade"])
def test_a_command_that_this_user_may_not_give_names_who_may(
    running: Project, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BUILD", "another")
    with as_other_user():
        assert running.run(command) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("procmon: ")
    assert "Run this command as root" in line


@pytest.mark.parametrize("secret", ["config", "state"])
@pytest.mark.parametrize("command", ["reload", "stop", "upgrade", "status"])
def test_what_this_user_may_not_read_is_one_line(
    running: Project, command: str, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    getattr(running, secret).chmod(0o000)
    with as_other_user():
        assert running.run(command) == 1
    out, err = capsys.readouterr()
    assert (out + err).count("\n") == 1
    assert "ermission denied" in out + err
    getattr(running, secret).chmod(0o755)


@pytest.mark.parametrize("command", ["reload", "upgrade"])
def test_a_command_to_a_procmon_that_does_not_run_says_how_to_start_it(
    project: Project, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run(command) == 1
    assert capsys.readouterr().err.startswith("procmon: blog is not running. Start it with: ")


def test_there_is_nothing_to_stop_where_none_runs(project: Project) -> None:
    assert project.run("stop") == 0


def test_a_pid_of_another_user_is_not_signalled(running: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Root may ask, and the state directory may belong to a user who may not."""
    os.chown(running.state / lock.NAME, OTHER_USER, OTHER_USER)
    assert running.run("stop") == 1
    assert "runs as another user than the file's owner" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("break_status", "reason"),
    [(Path.unlink, "No such file"), (lambda path: path.write_text("{"), "Expecting")],
    ids=["missing", "cut"],
)
def test_a_status_that_cannot_be_read(
    running: Project, break_status: Callable[[Path], object], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_status(running.state / "status.json")
    assert running.run("reload") == 1
    line = capsys.readouterr().err
    assert line.startswith("procmon: blog runs, but its status cannot be read: ")
    assert reason in line


# -- memory -----------------------------------------------------------------------------------------------------------


def test_a_master_does_without_what_only_errors_and_workers_need() -> None:
    code = "import procmon.cli, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(procmon.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"difflib", "uvicorn", "procmon.worker.main"} & set(done.stdout.split())
