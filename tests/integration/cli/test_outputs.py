"""An output that is closed or full is a failure in words, a reader that has left is none; no traceback in between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence

import pytest

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
