"""`exec`, `console` and `logs`: what runs on the servers, over a real sshd."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onetouch_deploy import remote
from tests.integration.cli.conftest import Desk, Site, Terminal, over_ssh
from tests.integration.playbooks.conftest import Upstream
from tests.support.ports import free_port
from tests.support.sshd import Sshd
from tests.support.waiting import until

PRINT = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
WORDS = ["a b", "*", "$HOME", "{{ x }}", "'", '"', "é", "a\nb", ""]


@pytest.fixture
def live(site: Site) -> Desk:
    """The desk of a project that is live behind ssh. Nothing here changes it."""
    return site.desk


@pytest.fixture
def blog(site: Site) -> Path:
    """The path of that project."""
    return site.path


def test_words_arrive_as_they_were_typed(site: Site, live: Desk, blog: Path) -> None:
    """No shell reads them on the way, and no template is filled in. The environment is that of the hooks."""
    done = live.deploy("blog", "exec", "--", "python3", "-c", PRINT, *WORDS)
    assert done.code == 0, done.err
    words, directory, environment = json.loads(done.out)
    assert words == WORDS
    commit = site.upstream.git("rev-parse", "HEAD")
    assert directory == str(blog / "releases" / commit[:12])
    assert (environment["SECRET"], environment["PLAIN"]) == ("s3cret\n", "x y")
    assert (environment["SHARED"], environment["DEPLOY_COMMIT"]) == (str(blog / "shared"), commit)


def test_variables_of_the_key_env_are_those_of_the_live_release(desk: Desk, upstream: Upstream) -> None:
    """A change of the key is there once it is deployed."""
    for value in ("x y", "{{ 1 }}'"):
        desk.project("blog", upstream, ref="origin/main", env={"PLAIN": value.replace("{{", "{{ '{{' }}")})
        assert desk.deploy("blog").code == 0
        assert desk.deploy("blog", "exec", "printenv", "PLAIN").out == f"{value}\n"


def test_the_environment_of_the_release_comes_first(live: Desk, blog: Path) -> None:
    """Its programs are found before those of the system."""
    own = (blog / "current").resolve() / ".venv/bin/python3"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\necho the release\n")
    own.chmod(0o755)
    try:
        assert live.deploy("blog", "exec", "python3").out == "the release\n"
    finally:
        shutil.rmtree(own.parents[1])


def test_output_and_exit_code_are_those_of_the_command(live: Desk) -> None:
    """Output byte by byte; --json passes it through Ansible."""
    words = ["blog", "exec", "sh", "-c", "echo out; echo err >&2; printf '\\377'; exit 7"]
    done = subprocess.run(live.argv(*words), cwd=live.folder, env=live.environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n\xff", b"err\n")
    assert live.deploy("blog", "exec", "sh", "-c", "kill -9 $$").code == 128 + 9
    assert live.deploy("blog", "exec", "sh", "-c", "exit 255").code == 255
    collected = live.deploy("blog", "exec", "--json", *words[2:])
    [result] = json.loads(collected.out)["results"]
    assert (collected.code, result["rc"], result["stdout"], result["stderr"]) == (2, 7, "out\n�", "err\n")


NOT_STARTED = [
    ("no-such-program", 127, "no-such-program: not found. Check its name and the release\n"),
    ("ls -la", 127, "ls -la: not found. Leave out the quotes around the whole command\n"),
    (
        "./page",
        126,
        "./page: Permission denied. Make it executable, with a line #! at its top, or name its interpreter\n",
    ),
    ("./script", 126, "./script: its interpreter is not found. Check the line #! at its top\n"),
    (
        "./text",
        126,
        "./text: Exec format error. Make it executable, with a line #! at its top, or name its interpreter\n",
    ),
]


def test_a_program_that_cannot_be_started(live: Desk, blog: Path) -> None:
    """The exit codes are those of a shell."""
    for name, text in (("script", "#!/no/interpreter\n"), ("text", "text")):
        file = (blog / "current").resolve() / name
        file.write_text(text)
        file.chmod(0o755)
    for word, code, error in NOT_STARTED:
        done = live.deploy("blog", "exec", word)
        assert (done.code, done.out, done.err) == (code, "", error)
    [result] = json.loads(live.deploy("blog", "exec", "--json", "no-such-program").out)["results"]
    assert (result["rc"], result["msg"]) == (127, "blog: no-such-program: not found. Check its name and the release")


def test_check_shows_what_would_be_run_and_where(live: Desk, blog: Path) -> None:
    done = live.deploy("blog", "exec", "--check", "--", "touch", "a file")
    shown = f"would run touch 'a file' in {(blog / 'current').resolve()}"
    assert (done.code, shown in done.out) == (0, True)
    assert not (blog / "current/a file").exists()


@pytest.mark.parametrize("words", [["exec", "true"], ["logs"], ["console"]], ids=" ".join)
def test_a_server_that_cannot_be_reached(desk: Desk, upstream: Upstream, words: list[str]) -> None:
    login = {"host": "127.0.0.1", "port": free_port(), "user": getpass.getuser(), "admin": "root"}
    desk.project("shop", upstream, connection=None, app="main:app", bind="127.0.0.1:3001", **login)
    done = desk.deploy("shop", *words)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("deploy: shop@127.0.0.1 cannot be reached, or the connection broke: connect to ")
    assert done.err.endswith("Check that it runs, and that `host`, `port` and its firewall are right.\n")
    assert len(done.err.splitlines()) == 1


@dataclass
class Running:
    """A command that runs, and what it has written."""

    process: subprocess.Popen[bytes]
    seen: bytes = b""

    def read_until(self, condition: Callable[[bytes], bool]) -> None:
        """Read its output until that is as expected."""
        assert self.process.stdout
        while not condition(self.seen):
            piece = os.read(self.process.stdout.fileno(), 4096)
            assert piece, f"it has ended: {self.seen!r}"
            self.seen += piece


@contextmanager
def running(desk: Desk, *words: str) -> Iterator[Running]:
    """Run the command beside the test, in a session of its own as on a terminal."""
    with subprocess.Popen(
        desk.argv(*words), cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        yield Running(process)


def test_output_comes_as_it_is_written(live: Desk, tmp_path: Path) -> None:
    """Also the beginning of a line."""
    script = f"printf begun; until test -e {tmp_path}/go; do sleep 0.05; done; echo , ended; cat"
    with running(live, "blog", "exec", "sh", "-c", script) as command:
        command.read_until(lambda seen: seen == b"begun")
        (tmp_path / "go").touch()
        command.read_until(lambda seen: seen == b"begun, ended\n")
        assert command.process.wait(60) == 0, "cat had no input to wait for"


def test_several_servers_write_lines_with_their_names(
    desk: Desk, sshd: Sshd, upstream: Upstream, tmp_path: Path
) -> None:
    """At the same time, also after the command has failed on one of them; --server chooses."""
    desk.project("blog", upstream, ref="origin/main", **over_ssh(sshd, "127.0.0.1", "127.0.0.2"))
    assert desk.deploy("blog", "--server", "127.0.0.1").code == 0
    first = desk.deploy("blog", "exec", "--server", "127.0.0.1", "echo", "here")
    assert (first.code, first.out) == (0, "here\n")
    script = f"echo here; until test -e {tmp_path}/go; do sleep 0.05; done; echo there >&2; exit 3"
    with running(desk, "blog", "exec", "sh", "-c", f"({script}) 2>&1") as command:
        command.read_until(lambda seen: seen.count(b"here\n") == 2)
        (tmp_path / "go").touch()
        command.read_until(lambda seen: seen.count(b"there\n") == 2)
        assert command.process.wait(60) == 3
    both = [f"blog@127.0.0.{number}: {word}" for word in ("here", "there") for number in (1, 2)]
    assert sorted(command.seen.decode().splitlines()) == sorted(both)
    errors = desk.deploy("blog", "exec", "sh", "-c", "echo err >&2").err
    assert sorted(errors.splitlines()) == ["blog@127.0.0.1: err", "blog@127.0.0.2: err"]


def is_gone(mark: str) -> bool:
    """Return whether no process has a text in its arguments."""
    lines = [file for file in Path("/proc").glob("[0-9]*/cmdline") if int(file.parent.name) != os.getpid()]
    return not any(mark in text_of(file) for file in lines)


def text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def test_ctrl_c_ends_the_command_on_the_server(live: Desk, blog: Path) -> None:
    """With all that it has started, also where nothing more is written."""
    mark = f"{blog}/a-mark"
    terminal = Terminal(live, live.argv("blog", "exec", "sh", "-c", f": {mark}; echo begun; sleep 1000; true"))
    terminal.wait_for("begun")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.screen.splitlines()[-1] == "deploy: interrupted: the command is ended on the server."
    until(lambda: is_gone(mark), "the end of the command")


def test_ctrl_c_ends_the_command_of_the_playbook(live: Desk, blog: Path) -> None:
    mark, started = f"{blog}/a-mark", live.folder / "started"
    words = ["sh", "-c", f": {mark}; touch {started}; sleep 1000; true"]
    terminal = Terminal(live, live.argv("blog", "exec", "--json", *words))
    until(started.exists, "the command")
    terminal.type("\x03")
    assert terminal.end() == 130
    until(lambda: is_gone(mark), "the end of the command")


def test_a_reader_that_has_enough_ends_it(live: Desk, blog: Path) -> None:
    """As with `| head -1`."""
    mark = f"{blog}/a-mark"
    with running(live, "blog", "exec", "sh", "-c", f": {mark}; while echo more; do sleep 0.05; done") as command:
        command.read_until(lambda seen: b"more\n" in seen)
        assert command.process.stdout
        command.process.stdout.close()
        assert command.process.wait(60) == 0
    until(lambda: is_gone(mark), "the end of the command")


def test_the_playbook_alone_does_the_same(live: Desk, blog: Path) -> None:
    """With words in a list or in one text."""
    playbook = [str(Path(live.argv()[0]).with_name("ansible-playbook")), "-i", "projects.yml", "onetouch.deploy.exec"]
    for argv in ('["echo", "{{ x }}  y"]', "\"echo '{{ x }}  y'\""):
        words = [*playbook, "-e", "project=blog", "-e", f'{{"argv": {argv}}}']
        done = subprocess.run(words, cwd=live.folder, env=live.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "\nblog@127.0.0.1:\n{{ x }}  y\n" in done.stdout
    assert blog.is_dir()


def talk(desk: Desk, words: list[str], lines: str) -> tuple[int, str]:
    """Run the command on a terminal, type `lines`, and return its exit code and what the screen showed."""
    terminal = Terminal(desk, desk.argv(*words))
    terminal.type(lines)
    return terminal.end(), terminal.screen


def test_console_is_a_shell_in_the_release_with_the_apps_variables(live: Desk, blog: Path) -> None:
    """On a terminal, over ssh; the exit code is the shell's."""
    code, screen = talk(live, ["blog", "console"], 'echo "<$PWD|$PLAIN|$SHARED>"; tty; exit 5\n')
    release = (blog / "current").resolve()
    assert f"<{release}|x y|{blog}/shared>" in screen, screen
    assert "/dev/pts/" in screen
    assert code == 5, screen


def test_console_says_when_nothing_is_live(desk: Desk, sshd: Sshd, upstream: Upstream) -> None:
    path = desk.project("blog", upstream, **over_ssh(sshd))
    code, screen = talk(desk, ["blog", "console"], "")
    assert f"no release of blog is live: {path}/current leads nowhere. Deploy it first" in " ".join(screen.split())
    assert code == 1


# Prints its arguments, and goes on where it follows, until its reader has left.
JOURNALCTL = """#!/bin/sh
echo "$@"
case "$*" in *--follow*) exec tail -f /dev/null; esac
"""


@pytest.fixture
def journal(desk: Desk, sshd: Sshd, upstream: Upstream) -> Desk:
    """A project with an app on two servers, whose journal shows how it was asked for."""
    program = sshd.server.home / "account/bin/journalctl"
    program.parent.mkdir()
    program.write_text(JOURNALCTL)
    program.chmod(0o755)
    servers = over_ssh(sshd, "127.0.0.1", "127.0.0.2")
    desk.project("blog", upstream, app="main:app", bind="127.0.0.1:3001", **servers)
    return desk


def test_logs_of_all_servers(journal: Desk) -> None:
    done = journal.deploy("blog", "logs", "-n", "7")
    asked = "--unit procmon@blog.service --lines 7 --no-pager --output short-iso"
    assert (done.code, sorted(done.out.splitlines())) == (
        *(0, [f"blog@127.0.0.1: {asked}", f"blog@127.0.0.2: {asked}"]),
    )
    one = journal.deploy("blog", "logs", "--server", "127.0.0.2")
    assert (one.code, one.out) == (0, f"{asked.replace('7', '50')}\n")


def test_logs_follow_until_the_reader_has_enough(journal: Desk) -> None:
    """As with `| head -2`: the connections end with it."""
    with subprocess.Popen(
        journal.argv("blog", "logs", "-f"),
        cwd=journal.folder,
        env=journal.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _server in range(2)]
        assert all("--follow" in line for line in lines)
        process.send_signal(2)
        assert until(lambda: process.poll() is not None, "the end after Ctrl-C")
        assert process.returncode == 130


def test_logs_of_a_project_without_an_app(desk: Desk, upstream: Upstream) -> None:
    desk.project("blog", upstream)
    done = desk.deploy("blog", "logs")
    reason = "blog has no app, so that no unit writes a journal for it. shared/logs/deploy.log has its hooks."
    assert (done.code, done.err) == (1, f"deploy: {reason}\n")


def test_who_may_not_read_the_journal_learns_how() -> None:
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    account: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}
    argv = ["sh", "-c", remote.JOURNAL, "journal"]
    done = subprocess.run(argv, **account, capture_output=True, text=True, check=False)
    advice = "nobody may not read the journal. On the server, as root: usermod -aG systemd-journal nobody\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", advice)
