# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command in the README and the documents: parsed by the real parser of its program, and its kind run by a test.

To parse is not to run. `EXECUTED` names, for each command of `deploy` and each playbook, the test that runs it on real
repositories. Of programs that are not ours only the shell's syntax is checked.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ansible.cli.doc import DocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.inventory import InventoryCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI
from ansible.parsing.splitter import parse_kv
from ansible_collections.onetouch.deploy.plugins.plugin_utils._command import COMMANDS
from pip._internal.commands import create_command
from procmon import cli as procmon

from onetouch_deploy import cli
from tests.support.documents import Block, Command, blocks, commands

ROOT = Path(__file__).parents[2]
CLI = "tests/integration/cli"
PLAYBOOKS = "tests/integration/playbooks"
MOLECULE = "molecule/default/verify/test_installed.py::test_a_project_from_init_to_remove"
PAGE = f"{CLI}/test_first_server.py::test_the_page_leads_from_nothing_to_a_live_app_and_back"
# What each command of `deploy` is, in the words of a Plan: its view, or its playbook. And the test that runs it.
EXECUTED = {
    "--version": f"{CLI}/test_wheel.py::test_it_works_in_an_environment_of_its_own",
    "init": PAGE,
    "init --deploy-conf": f"{CLI}/test_init.py::test_an_originals_file_is_taken_over",
    "setup": PAGE,
    "deploy": PAGE,
    "revert": PAGE,
    "status": PAGE,
    "doctor": MOLECULE,
    "logs": MOLECULE,
    "exec": PAGE,
    "current": MOLECULE,
    "remove": MOLECULE,
    "restart": f"{PLAYBOOKS}/test_restart.py::test_a_restart_ends_with_what_serves_on_each_server",
    "list": PAGE,
    "previous": f"{CLI}/test_commands.py::test_there_and_back",
    "history": f"{CLI}/test_commands.py::test_there_and_back",
    "config": PAGE,
    "console": f"{CLI}/test_exec.py::test_console_is_a_shell_in_the_release_with_the_apps_variables",
    "completion": f"{CLI}/test_terminal.py::test_completion_in_bash",
    "demo": "playbooks/demo.yml",
    "galaxy install": f"{CLI}/test_install.py::test_with_ansible_alone",
    "pip install": f"{CLI}/test_wheel.py::test_it_works_in_an_environment_of_its_own",
}
# Programs that are not ours. Only the shell's syntax of their lines is checked.
OTHERS = {
    *(".", "apt-get", "cat", "cd", "cp", "curl", "echo", "editor", "eval", "exit", "export", "git", "install", "kill"),
    *("journalctl", "ls", "nginx", "python3", "rm", "rsync", "ssh", "ssh-copy-id", "ssh-keygen", "ssh-keyscan"),
    *("ansible-builder", "ansible-navigator", "strace", "systemctl", "tail", "touch"),
}
BASH = shutil.which("bash") or "bash"
PIPX = {"install", "upgrade", "uninstall", "ensurepath"}
OURS = re.compile(r"onetouch-deploy(==[\d.]+)?|\.|PATH-OF-A-CLONE")
HOST_VARIABLE = re.compile(r"(project|supervisor|ansible)_\w+")


def documents() -> list[Path]:
    """Return the README and all documents, but for the records of decisions."""
    found = [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]
    return [Path("README.md"), *sorted(path for path in found if "decisions" not in path.parts)]


ALL = [block for path in documents() for block in blocks(ROOT, path)]
SHELL = [block for block in ALL if block.is_shell]


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return what a parser of argparse makes of words. Raises ValueError with its message."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return parser.parse_args(words)
    except SystemExit as ended:
        if ended.code:
            raise ValueError(errors.getvalue()) from ended
        return argparse.Namespace()


def ansible_parser(
    command: type[PlaybookCLI | GalaxyCLI | VaultCLI | InventoryCLI | DocCLI], words: Sequence[str]
) -> argparse.Namespace:
    """Return what one of Ansible's own programs makes of words."""
    made = command([command.__name__, *words])
    made.init_parser()  # type: ignore[no-untyped-call]
    assert made.parser
    return parsed(made.parser, words)


def parse_deploy(words: Sequence[str]) -> set[str]:
    """Return which command of EXECUTED it is."""
    if words[0] in {"--version", "completion"}:
        return {words[0]}
    plan = cli.parse(words)
    assert not isinstance(plan, int)
    extra = " --deploy-conf" if plan.variables.get("deploy_conf") else ""
    return {f"{plan.view or plan.playbook}{extra}"}


def parse_playbook(words: Sequence[str]) -> set[str]:
    """Return which playbook it is; its variables must be those that it takes, or of a host."""
    given = ansible_parser(PlaybookCLI, words)
    [playbook] = given.args
    name = Path(playbook.removeprefix("onetouch.deploy.")).stem
    if not (ROOT / "playbooks" / f"{name}.yml").exists():
        raise ValueError(f"there is no playbook {name}")
    variables = {key for text in given.extra_vars for key in parse_kv(text)}  # type: ignore[no-untyped-call]
    unknown = {key for key in variables - {*COMMANDS[name]} if not HOST_VARIABLE.fullmatch(key)}
    if unknown:
        raise ValueError(f"{name} does not take {unknown}")
    return {name}


def parse_pip(words: Sequence[str]) -> set[str]:
    """Return that it is an installation of this package."""
    _options, packages = create_command(words[0]).parse_args([*words[1:]])
    if not all(OURS.fullmatch(package) for package in packages):
        raise ValueError(f"{packages} is not this package")
    return {"pip install"}


def parse_galaxy(words: Sequence[str]) -> set[str]:
    """Return whether it is an installation of a collection."""
    ansible_parser(GalaxyCLI, words)
    return {"galaxy install"} if [*words[:2]] == ["collection", "install"] else set()


def parse_pipx(words: Sequence[str]) -> set[str]:
    """Return that it installs this package; pipx itself is not installed here, so that this is all that is checked."""
    names = [word for word in words[1:] if OURS.fullmatch(word)]
    if words[0] not in PIPX or (words[0] != "ensurepath" and not names):
        raise ValueError("pipx does not know this, or it is not this package")
    return {"pip install"}


def parse_make(words: Sequence[str]) -> set[str]:
    """Check that make knows each target."""
    rules = re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    targets |= {path.name for path in (ROOT / "tools" / "checks").iterdir()}
    unknown = {word for word in words if "=" not in word} - targets
    if unknown:
        raise ValueError(f"make has no target {unknown}")
    return set()


def parse_with(parse: Callable[[Sequence[str]], object]) -> Callable[[Sequence[str]], set[str]]:
    """Return a parser for a program of which no command needs to be in EXECUTED."""

    def check(words: Sequence[str]) -> set[str]:
        parse(words)
        return set()

    return check


PARSERS: dict[str, Callable[[Sequence[str]], set[str]]] = {
    "deploy": parse_deploy,
    "ansible-playbook": parse_playbook,
    "ansible-galaxy": parse_galaxy,
    "ansible-vault": parse_with(lambda words: ansible_parser(VaultCLI, words)),
    "ansible-inventory": parse_with(lambda words: ansible_parser(InventoryCLI, words)),
    "ansible-doc": parse_with(lambda words: ansible_parser(DocCLI, words)),
    "procmon": parse_with(lambda words: parsed(procmon._parser(words), words)),
    "pip": parse_pip,
    "pipx": parse_pipx,
    "make": parse_make,
}


def parse(command: Command) -> set[str]:
    """Return what kinds of EXECUTED a command is: none for a program of others. Raises an error for a wrong one."""
    program = command.words[0].rpartition("/")[2]
    if program in OTHERS:
        return set()
    if program not in PARSERS:
        raise ValueError(f"{program} is not a program that these documents use")
    return PARSERS[program](command.words[1:])


def test_every_command_parses_and_its_kind_is_run_by_a_test() -> None:
    """With the parser of the program itself."""
    problems: list[str] = []
    kinds: set[str] = set()
    for block in SHELL:
        try:
            kinds |= {kind for command in commands(block) for kind in parse(command)}
        except Exception as error:
            problems.append(f"{block}: {error}")
    assert not problems, "\n".join([*problems, "What a command shows belongs into a block of `text`."])
    assert kinds - {*EXECUTED} == set(), "no test runs these"
    assert {"pip install", "init", "setup", "deploy", "revert", "status", "logs", "exec"} <= kinds


@pytest.mark.parametrize("test", sorted({*EXECUTED.values()}))
def test_what_runs_them_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text() if name else (ROOT / path).exists()


def task_pages() -> list[Path]:
    """Return the pages that docs/README.md lists by task."""
    section = (ROOT / "docs/README.md").read_text().partition("## By task")[2].partition("\n## ")[0]
    return [Path("docs") / name for name in re.findall(r"\]\(([\w-]+\.md)\)", section)]


@pytest.mark.parametrize("page", task_pages(), ids=str)
def test_a_task_begins_with_its_command(page: Path) -> None:
    """Within fifteen lines, so that it is seen first."""
    first = next(block for block in blocks(ROOT, page) if block.is_shell)
    assert first.line <= 15


def test_the_shell_reads_every_block_of_commands() -> None:
    """Syntax only: nothing is run."""
    problems = [f"{block}: {error}" for block in SHELL if (error := shell_error(block))]
    assert not problems, "\n".join(problems)


def shell_error(block: Block) -> str:
    """Return what bash reports about the syntax of a block; <commit> and the like stand for words."""
    text = re.sub(r"<(\w+)>", r"\1", block.text)
    return subprocess.run([BASH, "-n"], input=text, capture_output=True, text=True, check=False).stderr


def test_what_is_shown_of_a_file_is_in_it() -> None:
    """A block below a comment that names its file."""
    named = [(block, block.source) for block in ALL if block.source]
    assert len(named) > 5
    assert [str(block) for block, source in named if block.text not in source.read_text()] == []


@pytest.mark.parametrize("line", ["deploy blog rever", "deploy --nope blog", "make nothing", "frobnicate"])
def test_a_line_that_is_wrong_is_found(line: str) -> None:
    [words] = [command.words for command in commands(Block(Path("x.md"), 1, "", line))]
    if line == "deploy blog rever":
        # A word that is no command is a ref: that is what the command does with it.
        assert parse_deploy(words[1:]) == {"deploy"}
        return
    with pytest.raises(Exception, match=r"nope|nothing|frobnicate"):
        parse(Command(Block(Path("x.md"), 1, "", line), words))


def everything(found: Iterator[Command]) -> list[tuple[str, ...]]:
    """Return the words of commands."""
    return [command.words for command in found]


def test_lines_are_read_as_a_shell_reads_them() -> None:
    text = "A=1 sudo make 'a b' > x && cd y # note\ndeploy blog \\\n    v1 | tail -n 1\n"
    assert everything(commands(Block(Path("x.md"), 1, "", text))) == [
        ("make", "a b"),
        ("cd", "y"),
        ("deploy", "blog", "v1"),
        ("tail", "-n", "1"),
    ]
