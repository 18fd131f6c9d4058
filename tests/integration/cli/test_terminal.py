"""The command on a terminal: Ctrl-C, a table, and completion in a real shell."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk, Terminal
from tests.integration.playbooks.conftest import Upstream
from tests.support.waiting import until

STRACE = shutil.which("strace") or "strace"
BASH = shutil.which("bash") or "bash"


def press_ctrl_c(desk: Desk, words: list[str], started: Path) -> tuple[int, str, str]:
    """Press Ctrl-C once `started` exists; return the exit code, the screen and what strace saw."""
    trace = desk.folder / "trace"
    watched = [STRACE, "-f", "--seccomp-bpf", "-o", str(trace), "-e", "trace=execve,clone3", "-e", "signal=SIGINT"]
    terminal = Terminal(desk, [*watched, *desk.argv(*words)])
    until(started.exists, "the hook runs")
    terminal.type("\x03")
    return terminal.end(), terminal.screen, trace.read_text()


def interrupts_of_ansible(trace: str) -> int:
    """Return how often the process that became ansible-playbook was interrupted by the terminal.

    The kernel sends a signal of a process to any of its threads, which are made by clone3.
    """
    [pid] = re.findall(r'^(\d+) +execve\(.*"onetouch_deploy.ansible_process"', trace, re.MULTILINE)
    threads = re.findall(rf"^{pid} +(?:clone3\(|<\.\.\. clone3 resumed>).* = (\d+)$", trace, re.MULTILINE)
    received = re.findall(r"^(\d+) +--- SIGINT .*si_code=SI_KERNEL", trace, re.MULTILINE)
    return sum(one in {pid, *threads} for one in received)


def slow(desk: Desk, upstream: Upstream) -> Path:
    """Add a project whose deploy waits in its first hook, and return the file that shows it."""
    started = desk.folder / "started"
    desk.project("blog", upstream, ref="origin/main", pre_deploy=f"touch {started}; sleep 1000")
    return started


@pytest.mark.parametrize("words", [["blog"], ["blog", "--json"]], ids=["attached", "collected"])
def test_ctrl_c_reaches_ansible_once_and_fails(desk: Desk, upstream: Upstream, words: list[str]) -> None:
    code, screen, trace = press_ctrl_c(desk, words, slow(desk, upstream))
    assert code == 130, screen
    assert interrupts_of_ansible(trace) == 1, trace
    assert not (desk.folder / "srv/blog/current").exists()


def test_ctrl_c_names_the_command_that_shows_the_end(desk: Desk, upstream: Upstream) -> None:
    """With our callback: nothing else is printed about it, and there is no traceback."""
    started = slow(desk, upstream)
    terminal = Terminal(desk, desk.argv("blog"), ANSIBLE_STDOUT_CALLBACK="onetouch.deploy.terminal", TERM="xterm")
    terminal.wait_for(" pre_deploy ")
    until(started.exists, "the hook")
    terminal.type("\x03")
    assert terminal.end() == 130
    end = " ".join(terminal.screen.rpartition("Interrupted")[2].split())
    assert end == "in pre_deploy, before the switch: nothing changes. `deploy blog status` shows what is live."


# Holds up the import of Ansible.
IMPORT_WAITS = """
import sys, time
class Gate:
    def find_spec(self, name, *_):
        if name == "ansible.cli.playbook":
            open("{started}", "w").close()
            time.sleep(1000)
sys.meta_path.insert(0, Gate())
"""


@pytest.mark.parametrize("words", [["blog"], ["blog", "--json"]], ids=["attached", "collected"])
def test_ctrl_c_while_ansible_starts(desk: Desk, upstream: Upstream, words: list[str]) -> None:
    """The moment at which people see that they have typed the wrong project."""
    started = slow(desk, upstream)
    gate = desk.folder / "gate/sitecustomize.py"
    gate.parent.mkdir()
    gate.write_text(IMPORT_WAITS.format(started=started))
    desk.environment["PYTHONPATH"] = f"{gate.parent}:{desk.environment['PYTHONPATH']}"
    terminal = Terminal(desk, desk.argv(*words))
    until(started.exists, "the import")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.screen
    assert "Interrupted before anything was done." in terminal.screen


def test_history_is_a_table_on_a_terminal(desk: Desk, upstream: Upstream) -> None:
    """With colours and bars, which a pipe does not get."""
    desk.project("blog", upstream, ref="origin/main")
    assert desk.deploy("blog").code == 0
    terminal = Terminal(desk, desk.argv("blog", "history"), COLUMNS="160", TERM="xterm")
    assert terminal.end() == 0
    screen = terminal.screen
    assert "WHEN" in screen
    assert "█" in screen
    assert "\x1b[" in screen
    assert "WHEN" not in desk.deploy("blog", "history").out


def test_values_do_nothing_to_a_terminal(desk: Desk, upstream: Upstream) -> None:
    """Control characters are written as text there. A pipe gets the value as it is."""
    desk.project("blog", upstream, post_deploy="echo \x1b[31m\x07")
    for words in (["config"], ["config", "post_deploy"]):
        terminal = Terminal(desk, desk.argv("blog", *words))
        assert terminal.end() == 0
        assert "\x1b" not in terminal.screen
        assert r"echo \x1b[31m\x07" in terminal.screen
    assert desk.deploy("blog", "config", "post_deploy").out == "echo \x1b[31m\x07\n"
    terminal = Terminal(desk, desk.argv("blog\x1b[31m", "config"))
    assert terminal.end() == 5
    assert r'There is no project "blog\x1b[31m"' in terminal.screen


COMPLETE = """
eval "$(deploy completion bash)"
complete -p deploy >/dev/null || exit 1
COMP_WORDS=({words}) COMP_CWORD={last}
_deploy_completion deploy
echo "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def two(desk: Desk, upstream: Upstream) -> Desk:
    """Two projects, and the command by its name."""
    desk.project("blog", upstream)
    desk.project("bliss", upstream)
    program = desk.folder / "bin/deploy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {desk.argv()[0]} -m onetouch_deploy "$@"\n')
    program.chmod(0o755)
    desk.environment["PATH"] = f"{program.parent}:{desk.environment['PATH']}"
    return desk


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("deploy bl", "blog bliss"),
        ("deploy sta", "status"),
        ("deploy blog re", "restart remove revert"),
        ("deploy -C . bl", "blog bliss"),
        ("deploy blog revert --to", "--to"),
        ("deploy blog config heartb", "heartbeat"),
        ("deploy completion z", "zsh"),
    ],
)
def test_completion_in_bash(two: Desk, words: str, found: str) -> None:
    script = COMPLETE.format(words=words, last=len(words.split()) - 1)
    done = subprocess.run(
        [BASH, "-c", script], cwd=two.folder, env=two.environment, capture_output=True, text=True, check=False
    )
    assert sorted(done.stdout.split()) == sorted(found.split()), done.stderr


@pytest.mark.parametrize(
    ("shell", "incomplete"),
    [("zsh", {"COMP_WORDS": "deploy bl", "COMP_CWORD": "1"}), ("fish", {"COMP_WORDS": "deploy", "COMP_CWORD": "bl"})],
)
def test_completion_for_other_shells(two: Desk, shell: str, incomplete: dict[str, str]) -> None:
    """What their scripts call, with what it answers."""
    script = two.deploy("completion", shell).out
    assert f"_DEPLOY_COMPLETE={shell}_complete" in script
    answer = two.deploy(extra={**incomplete, "_DEPLOY_COMPLETE": f"{shell}_complete"}).out
    assert re.findall(r"\b(blog|bliss)\b", answer) == ["blog", "bliss"]


def test_nothing_is_completed_where_nothing_can_be_read(two: Desk) -> None:
    two.config.write_text("projects: [")
    done = two.deploy(extra={"COMP_WORDS": "deploy b", "COMP_CWORD": "1", "_DEPLOY_COMPLETE": "bash_complete"})
    assert (done.out.strip(), done.err) == ("", "")


def test_interrupted_is_not_success(desk: Desk, upstream: Upstream) -> None:
    """As a script sees it that ends the command."""
    started = slow(desk, upstream)
    with subprocess.Popen(
        desk.argv("blog"), cwd=desk.folder, env=desk.environment, stdout=subprocess.DEVNULL, process_group=0
    ) as process:
        until(started.exists, "the hook runs")
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait() != 0
