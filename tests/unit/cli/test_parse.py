"""Words of the command line, and the plan that they make."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from onetouch_deploy.cli import parse, wants_json
from onetouch_deploy.plan import Options, Plan, arguments


def plan_of(line: str) -> Plan:
    """Return the plan of words without blanks."""
    made = parse(line.split())
    assert isinstance(made, Plan)
    return made


@pytest.mark.parametrize(
    ("line", "playbook", "variables"),
    [
        ("blog", "deploy", {}),
        ("blog v1.2", "deploy", {"ref": "v1.2"}),
        ("blog origin/main -T", "deploy", {"ref": "origin/main", "project_test": ""}),
        ("blog --force --at-once 2", "deploy", {"force": True, "at_once": 2}),
        ("blog v1 --keep-config", "deploy", {"ref": "v1", "config": "keep"}),
        ("blog revert --no-hooks", "revert", {"hooks": False}),
        ("blog revert", "revert", {}),
        ("blog revert 3", "revert", {"steps": 3}),
        ("blog revert -T --to 1f0c9a2", "revert", {"to": "1f0c9a2", "project_test": ""}),
        ("blog setup", "setup", {}),
        ("blog restart", "restart", {}),
        ("blog status", "status", {}),
        ("blog doctor", "doctor", {}),
        ("blog remove", "remove", {}),
        ("blog remove --yes --data", "remove", {"confirm": "blog", "data": True}),
    ],
)
def test_a_project_and_a_command_are_a_playbook_with_its_variables(
    line: str, playbook: str, variables: dict[str, object]
) -> None:
    made = plan_of(line)
    assert (made.project, made.playbook, made.variables, made.view) == ("blog", playbook, variables, "")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("blog stauts", {"ref": "deploy blog status"}),
        ("blog rever", {"ref": "deploy blog revert"}),
        ("stauts", {"project": "deploy status"}),
        ("docter", {"project": "deploy doctor"}),
        ("histroy", {"project": "deploy PROJECT history"}),
        ("setup blog", {"project": "deploy blog setup"}),
        ("blog v1.2", {}),
        ("blog", {}),
        ("blog origin/main", {}),
    ],
)
def test_a_word_that_is_like_a_command(line: str, meant: dict[str, str]) -> None:
    """It may be a ref, or a project: only where it is unknown, the command is named."""
    assert plan_of(line).meant == meant


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("status", Plan(playbook="status")),
        ("doctor", Plan(playbook="doctor")),
        ("all", Plan("all", "deploy")),
        ("init", Plan(playbook="init", variables={"directory": Path()})),
        ("init new", Plan(playbook="init", variables={"directory": Path("new")})),
        ("blog list", Plan("blog", "history", view="list")),
        ("blog list -n 3", Plan("blog", "history", view="list", lines=3)),
        ("blog current", Plan("blog", "history", view="current")),
        ("blog previous", Plan("blog", "history", view="previous")),
        ("blog history --limit 5", Plan("blog", "history", view="history", lines=5)),
        ("blog console", Plan("blog", view="console")),
        ("blog logs", Plan("blog", view="logs", lines=50)),
        ("blog logs -f -n 7", Plan("blog", view="logs", lines=7, follow=True)),
        ("blog config", Plan("blog", view="config")),
        ("blog config ref", Plan("blog", view="config", words=("ref",))),
    ],
)
def test_other_commands(line: str, expected: Plan) -> None:
    assert plan_of(line) == expected


@pytest.mark.parametrize(
    "line", ["-C up -c x.yml --check blog v1", "blog v1 -C up -c x.yml --check", "-C up blog -c x.yml v1 --check"]
)
def test_options_stand_before_the_project_or_after_it(line: str) -> None:
    made = plan_of(line)
    assert made.variables == {"ref": "v1"}
    assert made.options == Options(chdir=Path("up"), config=Path("x.yml"), check=True)


def test_servers_and_extra_variables_add_up() -> None:
    made = plan_of("--server a -e x=1 blog --server b -e y=2 -vv -K")
    assert made.options.servers == ("a", "b")
    assert made.options.passed == ("--ask-become-pass", "-e", "x=1", "-e", "y=2", "-vv")


def test_the_words_of_exec_are_not_touched() -> None:
    words = ["python", "-c", 'print("a b")', "--check", "*", "{{ x }}", "--", "-n"]
    for start in (["blog", "exec", "--"], ["blog", "exec"]):
        made = parse([*start, *words])
        assert isinstance(made, Plan)
        assert made.variables == {"argv": words}
        assert made.options == Options()


def test_exec_takes_its_options_before_the_command() -> None:
    made = parse(["blog", "exec", "--server", "a", "ls", "--server"])
    assert isinstance(made, Plan)
    assert (made.options.servers, made.variables) == (("a",), {"argv": ["ls", "--server"]})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("blog revert 0", "0 is not a whole number of 1 or more"),
        ("blog revert abc", "abc is not a whole number of 1 or more"),
        ("status blog", "status comes after the project: deploy blog status"),
        ("blog revert 2 --to 1f0c", "either N or --to"),
        ("blog --check revert", "revert is a command, and comes right after the project: deploy blog revert"),
        ("blog v1 v2", "unexpected extra argument"),
        ("blog exec", "Missing argument"),
        ("--nope blog", "No such option"),
        ("completion tcsh", "'tcsh' is not one of"),
    ],
)
def test_words_that_make_no_command_are_refused(line: str, message: str) -> None:
    """What would deploy something else than was meant, above all."""
    with pytest.raises(click.ClickException) as refused:
        parse(line.split())
    assert message.lower() in refused.value.format_message().lower()
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("blog v1", ["onetouch.deploy.deploy", "-i", "/p.yml", "-e", '{"project": "blog", "ref": "v1"}']),
        ("status", ["onetouch.deploy.status", "-i", "/p.yml"]),
        ("status --server a", ["onetouch.deploy.status", "-i", "/p.yml", "--limit", "*@a"]),
        (
            "blog --server a --server b --check --diff -v",
            [
                *("onetouch.deploy.deploy", "-i", "/p.yml", "-e", '{"project": "blog"}'),
                *("--limit", "blog@a,blog@b", "--check", "--diff", "-v"),
            ],
        ),
    ],
)
def test_the_arguments_of_ansible(line: str, expected: list[str]) -> None:
    assert arguments(plan_of(line), Path("/p.yml")) == expected


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["--help"]) == 0
    shown = capsys.readouterr().out
    names = "setup revert restart status doctor list current previous history exec console logs config remove"
    names += " init completion"
    assert [name for name in names.split() if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("blog revert x --json", True),
        ("--json blog revert x", True),
        ("blog exec --json", True),
        ("blog exec --server a ls --json", False),
        ("blog exec -- ls --json", False),
        ("blog", False),
    ],
)
def test_words_that_make_no_command_may_ask_for_json(words: str, *, wanted: bool) -> None:
    assert wants_json(words.split()) is wanted
