"""What can be set is in the documents, and what they list can be set: keys, variables of -e, options of `deploy`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _command
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema

from onetouch_deploy import cli

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
CODE = re.compile(r"`([^`]+)`")
CHECKED = ("type", "elements", "required", "default", "choices")
"""What a documented option and one of the code have in common."""
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def tables(page: str) -> Iterator[list[list[str]]]:
    """Yield each table of a page of docs/: its rows as cells, the heading first."""
    text = (ROOT / "docs" / page).read_text()
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        # A column separator has a blank before it; a pipe within code has a backslash.
        lines = [line for line in block.splitlines() if not re.fullmatch(r"[|\- ]+", line)]
        yield [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def section(page: str, heading: str) -> str:
    """Return the text below a heading of a page of docs/, up to the next one of its rank."""
    text = (ROOT / "docs" / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert text, f"docs/{page} has no section {heading}"
    return text


def documented(module: Path) -> dict[str, dict[str, Any]]:
    """Return the options in the documentation of a module."""
    found = re.search(r'^DOCUMENTATION = r"""\n(.*?)^"""', module.read_text(), re.MULTILINE | re.DOTALL)
    assert found, module
    return dict(yaml.safe_load(found[1]).get("options") or {})


def test_every_key_of_the_configuration_page_can_be_set() -> None:
    """The other direction is tested beside the schema."""
    pages = [table for table in tables("configuration.md") if table[0][:2] == ["key", "meaning"]]
    hooks = [table for table in tables("configuration.md") if table[0][:2] == ["key", "when"]]
    assert {row[0].strip("`") for table in pages + hooks for row in table[1:]} == set(schema.known("project"))


def test_every_inner_key_of_the_configuration_page_can_be_set() -> None:
    """In its table, under the key that it belongs to."""
    (table,) = (table for table in tables("configuration.md") if table[0][:2] == ["in", "key"])
    found: dict[str, list[str]] = {}
    outer = ""
    for first, key, *_rest in table[1:]:
        outer = first.strip("`") or outer
        found.setdefault(outer, []).append(key.strip("`"))
    assert {name: sorted(keys) for name, keys in found.items()} == {
        name: sorted(keys) for name, keys in schema.TABLES.items()
    }


def test_every_variable_of_a_command_is_listed_with_the_commands_that_take_it() -> None:
    (table,) = (one for one in tables("configuration.md") if one[0][:2] == ["variable", "of"])
    listed = {row[0].strip("`"): commands_of(row[1]) for row in table[1:]}
    taken = {name for names in _command.COMMANDS.values() for name in names}
    expected = {name: {one for one, names in _command.COMMANDS.items() if name in names} for name in taken}
    assert listed == expected


def commands_of(cell: str) -> set[str]:
    """Return the commands that a cell names: `a`, `b`, or all but `a`, `b`."""
    named = set(CODE.findall(cell))
    return set(_command.COMMANDS) - named if cell.startswith("all but") else named


def commands_of_the_program() -> dict[str, click.Command]:
    """Return every command of the program."""
    return {"deploy": cli.deploy, **cli.project.commands, **cli.root.commands}


def options_of_the_program() -> set[tuple[str, ...]]:
    """Return the names of each option, without those that every program has."""
    parameters = [one for command in [cli.root, *commands_of_the_program().values()] for one in command.params]
    options = {tuple(one.opts) for one in parameters if isinstance(one, click.Option)}
    return {names for names in options if "--help" not in names and "--version" not in names}


def test_every_command_of_the_program_is_on_its_page() -> None:
    words = {
        word for command in re.findall(r"`([^`]+)`", section("commands.md", "Commands")) for word in command.split()
    }
    assert set(commands_of_the_program()) - words == set()


def test_every_option_of_the_program_is_on_its_page_and_the_other_way_round() -> None:
    """Those of a single command may stand where it is described, and not in the table."""
    page = (ROOT / "docs" / "commands.md").read_text()
    (table,) = (one for one in tables("commands.md") if one[0][0] == "option")
    listed = {option for row in table[1:] for option in OPTION.findall(row[0])}
    taken = options_of_the_program()
    assert listed - {name for names in taken for name in names} == set()
    assert {names for names in taken if not {*names} & set(OPTION.findall(page))} == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_documented_options_of_an_action_are_those_that_it_takes(module: Path) -> None:
    """ansible-test compares modules with their documentation, but not what runs on the controller alone."""
    options = documented(module)
    if "AnsibleModule(" in module.read_text():
        assert options, "ansible-test compares them"
        return
    action = importlib.import_module(f"ansible_collections.onetouch.deploy.plugins.action.{module.stem}")
    taken: Mapping[str, Mapping[str, Any]] = getattr(action, "OPTIONS", {})
    assert {name: shared(option) for name, option in options.items()} == {
        name: shared(option) for name, option in taken.items()
    }


def shared(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return what documentation and code both have of an option. That one is not required goes without saying."""
    return {name: option[name] for name in CHECKED if option.get(name) not in (None, False)}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_examples_of_a_module_are_valid(module: Path) -> None:
    """Each option is one that is documented, with a value that it may have, and no required one is missing."""
    spec = {name: shared(option) for name, option in documented(module).items()}
    validator: Any = ArgumentSpecValidator(spec)  # type: ignore[no-untyped-call]  # Ansible ships few types
    examples = [task[name] or {} for task in examples_of(module) for name in task if name.endswith(f".{module.stem}")]
    assert examples
    assert {message for example in examples for message in validator.validate(example).error_messages} == set()


def examples_of(module: Path) -> list[dict[str, Any]]:
    """Return the tasks in the examples of a module."""
    found = re.search(r'^EXAMPLES = r"""\n(.*?)^"""', module.read_text(), re.MULTILINE | re.DOTALL)
    assert found, module
    return list(yaml.safe_load(found[1]))
