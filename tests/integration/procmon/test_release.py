"""From the directory to a release: its commit, its interpreter and its workers' environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from procmon.master.release import ReleaseError, ReleaseMissingError, parse_env_file, read_commit, resolve
from procmon.master.restart_file import read_stamp

from tests.support.procmon.story import config


def git(directory: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    done = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - whichever git there is
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one commit."""
    path = tmp_path / "source"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    git(path, "commit", "-q", "--allow-empty", "-m", "first")
    return path


def test_the_commit_of_a_work_tree(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    assert read_commit(tmp_path / "tree") == git(clone, "rev-parse", "HEAD")


def test_the_commit_of_a_clone_on_a_branch(clone: Path) -> None:
    assert read_commit(clone) == git(clone, "rev-parse", "HEAD")


def test_the_commit_of_a_clone_with_packed_refs(clone: Path) -> None:
    git(clone, "pack-refs", "--all")
    assert read_commit(clone) == git(clone, "rev-parse", "HEAD")


def test_no_commit_without_git(tmp_path: Path) -> None:
    assert read_commit(tmp_path) is None


def test_no_commit_of_a_work_tree_that_a_power_loss_has_emptied(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    (tmp_path / "tree" / ".git").write_bytes(bytes(60))
    assert read_commit(tmp_path / "tree") is None
    git(clone, "pack-refs", "--all")
    (clone / ".git" / "packed-refs").write_bytes(b"\xff" * 60)
    assert read_commit(clone) is None


def test_a_link_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "current").symlink_to("a")
    assert resolve(config(directory=str(tmp_path / "current"))).path == str(tmp_path / "a")


def test_a_missing_directory_is_distinguished_from_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissingError, match="does not exist"):
        resolve(config(directory=str(tmp_path / "current")))
    (tmp_path / "file").touch()
    with pytest.raises(ReleaseError, match="not a directory"):
        resolve(config(directory=str(tmp_path / "file")))


def test_a_directory_that_cannot_be_used_is_not_reported_as_missing(tmp_path: Path) -> None:
    loop = tmp_path / "current"
    loop.symlink_to("current")
    (tmp_path / "file").touch()
    for path in (loop, tmp_path / "file" / "below"):
        with pytest.raises(ReleaseError, match=f"directory = '{path}' cannot be used: ") as raised:
            resolve(config(directory=str(path)))
        assert not isinstance(raised.value, ReleaseMissingError)


def test_the_release_brings_its_interpreter(tmp_path: Path) -> None:
    assert resolve(config(directory=str(tmp_path))).python == sys.executable
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    assert resolve(config(directory=str(tmp_path))).python == str(own)


def test_a_broken_environment_is_an_error_and_not_another_interpreter(tmp_path: Path) -> None:
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to("/nowhere/python")
    with pytest.raises(ReleaseError, match=r"/\.venv/bin/python does not exist"):
        resolve(config(directory=str(tmp_path)))


def test_the_environment_in_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd speaks to procmon alone; env_file comes over what procmon has, env over both."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setenv("OWN", "own")
    monkeypatch.setenv("BOTH", "own")
    file = tmp_path / "env"
    file.write_text("BOTH=file\nTHIRD=file\n")
    found = resolve(config(directory=str(tmp_path), env_file=str(file), env={"THIRD": "env"})).env
    assert not {"NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"} & found.keys()
    assert (found["OWN"], found["BOTH"], found["THIRD"], found["PYTHONUNBUFFERED"]) == ("own", "file", "env", "1")


def test_secrets_are_not_part_of_what_is_printed(tmp_path: Path) -> None:
    assert "s3cret" not in repr(resolve(config(directory=str(tmp_path), env={"KEY": "s3cret"})))


def test_env_file_forms() -> None:
    text = '# comment\n\nA=plain text \nexport B=\'as $it stands\'\nC="two\\nlines \\"q\\""\nD=\nE=a=b\n'
    expected = {"A": "plain text", "B": "as $it stands", "C": 'two\nlines "q"', "D": "", "E": "a=b"}
    assert parse_env_file(text) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("A=1\nB", "line 2 must be KEY=value"),
        ('A="x', "line 1: "),
        (r'A="a\u0000b"', "line 1: no environment can hold such a value"),
        (r'A="\ud800"', "line 1: no environment can hold such a value"),
    ],
)
def test_env_file_errors_name_the_line(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_env_file(text)


def test_a_missing_env_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="env_file = '/nowhere'"):
        resolve(config(directory=str(tmp_path), env_file="/nowhere"))


def test_an_env_file_without_an_end_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        with pytest.raises(ReleaseError, match=f"env_file = '{path}': it is not a regular file"):
            resolve(config(directory=str(tmp_path), env_file=path))


def test_the_stamp_differs_after_a_touch_and_not_after_a_chmod(tmp_path: Path) -> None:
    file = tmp_path / "restart"
    assert read_stamp(file) is None
    file.touch()
    before = read_stamp(file)
    file.chmod(0o600)
    assert read_stamp(file) == before
    os.utime(file, ns=(1, 1))
    assert read_stamp(file) != before
