"""An output that is closed or full is a failure in words, a reader that has left is none; no traceback in between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import onetouch_deploy as api
from tests.integration.cli.conftest import Desk, Done
from tests.integration.playbooks.conftest import Upstream

CLOSED = "deploy: Standard output is closed. Nothing was done. To drop the output, write it to /dev/null.\n"
FULL = (
    "deploy: The output cannot be written: No space left on device. It is incomplete. Make room, or write it to "
    "another place.\n"
)
TERMINAL = {"ANSIBLE_STDOUT_CALLBACK": "onetouch.deploy.terminal"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A project on this machine, which nothing here changes."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "desk").mkdir()
    desk, upstream = Desk(folder / "desk"), Upstream(folder / "upstream")
    upstream.commit("one")
    desk.project("blog", upstream, ref="origin/main")
    assert desk.deploy("blog").code == 0
    yield desk
    for terminal in desk.terminals:
        terminal.hang_up()


def shell(desk: Desk, redirection: str, *words: str, extra: Mapping[str, str] | None = None) -> Done:
    """Type a command with a redirection. The code is that of the command, also in a pipe."""
    script = f'"$@" {redirection}'
    argv = ["/bin/bash", "-o", "pipefail", "-c", script, "bash", *desk.argv(*words)]
    done = subprocess.run(
        argv,
        cwd=desk.folder,
        env={**desk.environment, **(extra or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


GONE = "The current directory cannot be used: No such file or directory. Change to one that exists."


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["status"], 2, f"deploy: {GONE}\n"),
        (["-c", "/projects.yml", "status"], 2, f"deploy: {GONE}\n"),
        (["-C", "DESK", "blog", "config", "ref"], 0, ""),
    ],
    ids=["status", "with -c", "with -C"],
)
def test_a_current_directory_that_is_gone(live: Desk, tmp_path: Path, words: list[str], code: int, err: str) -> None:
    argv = live.argv(*(word.replace("DESK", str(live.folder)) for word in words))
    script = ["/bin/sh", "-c", 'rmdir "$PWD"; "$@"', "sh", *argv]
    done = subprocess.run(script, cwd=tmp_path, env=live.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, err)


def test_a_program_whose_current_directory_is_gone(live: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(api.RefusedError, match=GONE):
        api.status(config=live.config)


def test_a_cache_that_cannot_be_written(live: Desk, tmp_path: Path) -> None:
    """A deploy of a projects.yml only gains time by it, that of a deploy.conf needs it."""
    (tmp_path / "cache").touch()
    place = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert live.deploy("blog", extra=place).code == 0
    (tmp_path / "deploy.conf").write_text("[blog]\nhost a\nrepo /r\npath /srv/blog\n")
    done = live.deploy("-c", str(tmp_path / "deploy.conf"), "blog", extra=place)
    assert (done.code, done.err.startswith(f"deploy: {tmp_path}/cache/onetouch-deploy/")) == (1, True)
    assert done.err.endswith("Not a directory. Set XDG_CACHE_HOME to a directory that can be written.\n")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("/proc/self/mem", "/mem cannot be read: Input/output error. Correct that.\n"),
        ("x" * 300, f"{'x' * 300}: File name too long. Correct that on this machine, and run it again.\n"),
    ],
    ids=["not read", "unforeseen"],
)
def test_a_file_of_this_machine_that_cannot_be_used(live: Desk, file: str, reason: str) -> None:
    done = live.deploy("-c", file, "blog", "config", "ref")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("deploy: ")
    assert done.err.endswith(reason)


@pytest.mark.parametrize("words", [["blog"], ["status", "--json"], ["--help"]], ids=" ".join)
def test_nothing_is_done_where_standard_output_is_closed(live: Desk, words: Sequence[str]) -> None:
    """What was asked for could not be seen. A file that is opened would get the number of the output."""
    done = shell(live, ">&-", *words)
    assert (done.code, done.err) == (1, CLOSED)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["blog"], TERMINAL),
        (["blog"], {}),
        (["blog", "list"], {"PYTHONUNBUFFERED": "1"}),
        (["blog", "exec", "pwd"], {}),
        (["blog", "config"], {}),
        (["--help"], {}),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_a_failure(live: Desk, words: Sequence[str], extra: Mapping[str, str]) -> None:
    """Of a command that had gone well, also where Ansible prints."""
    done = shell(live, ">/dev/full", *words, extra=extra)
    assert (done.code, done.err) == (1, FULL)


def test_a_failure_keeps_its_code_on_a_full_disk(live: Desk) -> None:
    done = shell(live, ">/dev/full", "blog", "nowhere", extra=TERMINAL)
    assert (done.code, done.err) == (2, FULL)


@pytest.mark.parametrize("words", [["blog"], ["blog", "config"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_left_is_no_failure(live: Desk, words: Sequence[str]) -> None:
    """As with `| head`."""
    done = shell(live, "| true", *words, extra=TERMINAL)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_the_exit_code_is_left_where_errors_cannot_be_written(live: Desk, redirection: str) -> None:
    done = shell(live, redirection, "blgo", "config")
    assert (done.code, done.out, done.err) == (5, "", "")


def test_a_closed_input_is_empty(live: Desk) -> None:
    assert shell(live, "<&-", "blog", "remove").code == 2


PROGRAM = "import sys; from onetouch_deploy import status; status(config=sys.argv[1]).check(); sys.exit(7)"


def test_a_program_may_have_nothing_open(live: Desk) -> None:
    """As a daemon has it."""
    script = 'exec "$@" <&- >&- 2>&-'
    argv = ["/bin/sh", "-c", script, "sh", live.argv()[0], "-c", PROGRAM, str(live.config)]
    assert subprocess.run(argv, env=live.environment, check=False).returncode == 7
