"""What a command was asked for: variables and projects that are not known are errors that name the known ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._command import (
    COMMANDS,
    FileState,
    Inventory,
    InventoryFile,
    asked_projects,
    inherited_error,
    plain_hosts,
    project_error,
    project_hosts,
    stray_words_error,
    unknown_variables,
    used_in_templates,
    variable_error,
)

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
TWO = Inventory(
    {"blog@a": "blog", "shop@a": "shop"},
    ["blog@a", "shop@a"],
    {"all": ["blog@a", "shop@a"], "projects": ["blog@a", "shop@a"], "blog": ["blog@a"], "shop": ["shop@a"]},
)


def test_each_playbook_and_its_first_line_take_the_same_variables() -> None:
    assert {path.stem for path in PLAYBOOKS.glob("*.yml")} == {*COMMANDS}
    for command, variables in COMMANDS.items():
        usage = next(line for line in (PLAYBOOKS / f"{command}.yml").read_text().splitlines() if line.startswith("# "))
        assert re.findall(r"-e (\w+)=", usage) == [*variables]


@pytest.mark.parametrize(
    ("command", "given", "unknown"),
    [
        ("deploy", ["project", "ref", "force", "at_once"], []),
        ("deploy", ["project", "refs", "steps"], ["refs", "steps"]),
        ("revert", ["project", "step"], ["step"]),
        ("demo", ["folder", "port", "project"], ["project"]),
        ("deploy", ["ansible_user", "awx_job_id", "tower_job_id"], []),
        ("deploy", ["project_keeep"], ["project_keeep"]),
        ("deploy", ["mine"], []),
    ],
)
def test_what_no_part_of_the_product_reads_is_unknown(command: str, given: list[str], unknown: list[str]) -> None:
    assert unknown_variables(command, given, ["mine"]) == unknown


@pytest.mark.parametrize(
    ("command", "unknown", "hint"),
    [
        (
            "revert",
            ["step"],
            "step. Did you mean steps? The playbook revert takes: project, steps, to, f",
        ),
        ("deploy", ["refs"], "refs. Did you mean ref? The playbook deploy takes: project, ref, force, at_"),
        ("deploy", ["steps"], "steps. steps is a variable of revert. The playbook deploy takes: "),
        ("restart", ["force"], "force. force is a variable of deploy and revert. The playbook restart takes: "),
        ("setup", ["x", "projct"], "x, projct. Did you mean project? The playbook setup takes: project."),
        ("status", ["x"], "x. The playbook status takes: project."),
    ],
)
def test_an_unknown_variable_is_an_error_with_the_nearest_known_one(
    command: str, unknown: list[str], hint: str
) -> None:
    assert f"Unknown variable given with -e: {hint}" in str(variable_error(command, unknown))


def test_an_unknown_host_variable_is_named_with_the_nearest_known_one() -> None:
    error = str(variable_error("deploy", ["project_keeep"], {"project_keep", "project_path"}))
    assert error.startswith("Unknown variable given with -e: project_keeep. Did you mean project_keep? ")


def test_a_variable_of_the_command_that_the_inventory_sets_is_an_error() -> None:
    """It would force every deploy, and no command line would show it."""
    names = {"blog@a": ["project_ref", "inventory_hostname"], "blog@b": ["force"]}
    assert str(inherited_error("deploy", ["project"], names)).startswith("The inventory sets force for blog@b, which d")
    assert inherited_error("deploy", ["project", "force"], names) is None, "-e takes precedence"
    assert inherited_error("status", ["project"], names) is None


def test_known_variables_are_no_error() -> None:
    assert variable_error("deploy", []) is None
    assert stray_words_error({"ref": "v1"}) is None


def test_a_value_with_blanks_needs_quotes() -> None:
    """Of `-e "folder=my demo"` Ansible makes the folder my, and a rest that nothing uses."""
    assert str(stray_words_error({"folder": "my", "_raw_params": "demo"})).startswith("Not NAME=VALUE in -e: demo. ")


@pytest.mark.parametrize(
    ("variables", "used"),
    [
        ({"project_ref": "{{ tag }}"}, {"tag"}),
        ({"project_env": {"A": ["x", "{% if tag %}1{% endif %}"]}}, {"tag"}),
        ({"project_ref": "tag"}, set()),
        ({"project_ref": "{{ tags }}"}, set()),
        ({"tag": "{{ tag }}"}, set()),
        ({"n": 1, "none": None, "pair": ("{{ tag }}",)}, {"tag"}),
    ],
)
def test_a_variable_that_the_inventory_uses_is_known(variables: Mapping[str, object], used: set[str]) -> None:
    assert used_in_templates(["tag", "other"], variables) == used


@pytest.mark.parametrize(
    ("text", "names"), [("", []), (" blog , shop,", ["blog", "shop"]), ("all", ["all"]), (",", [])]
)
def test_projects_are_separated_by_commas(text: str, names: list[str]) -> None:
    assert asked_projects(text) == names


@pytest.mark.parametrize("asked", [["blog"], ["blog", "shop"], ["all"]])
def test_a_known_project_is_no_error(asked: list[str]) -> None:
    assert project_error(asked, TWO, []) is None


def file(state: FileState, *problems: str, path: str = "inventory/projects.yml") -> InventoryFile:
    return InventoryFile(path, state, problems)


INVALID = file(FileState.INVALID, "p.yml:3: one", "p.yml:4: two", "p.yml:5: three")
NOT_GIVEN = file(FileState.NOT_GIVEN)


@pytest.mark.parametrize(
    ("asked", "inventory", "files", "message"),
    [
        ([], TWO, [], "Which project? Name it with -e project=NAME. Known projects: blog, shop."),
        (["blgo"], TWO, [], 'There is no project "blgo". Known projects: blog, shop.'),
        (["wiki"], TWO, [INVALID], "Known projects: blog, shop. The inventory is invalid: p.yml:3: one (2 more above)"),
        (["wiki"], TWO, [NOT_GIVEN], "Known projects: blog, shop."),
        (
            ["blog"],
            Inventory(),
            [],
            "No project is configured. Copy docs/examples/projects.yml to inventory/pr",
        ),
        (
            ["blog"],
            Inventory(),
            [NOT_GIVEN],
            "not read. Name it with -i inventory/projects.yml, or as inventory in ",
        ),
        (
            ["blog"],
            Inventory(),
            [NOT_GIVEN, INVALID],
            "No project is configured. The inventory is invalid: p.yml:3: o",
        ),
        (["blog"], Inventory(), [file(FileState.INVALID, "p.yml:3: one")], "The inventory is invalid: p.yml:3: one"),
        (["blog"], Inventory(), [file(FileState.IGNORED)], "projects.yml is valid, but Ansible did not read it. "),
        (["blog"], Inventory(), [file(FileState.MISSING, path="x.yml")], "There is no file x.yml. Copy docs/examples/"),
        (
            ["all"],
            Inventory({"b@a": "b"}, ["b@a", "web9"], {"all": ["b@a", "web9"], "b": ["b@a"]}),
            [],
            "-e project=all needs a group `project",
        ),
        (
            ["my-b"],
            Inventory({"b@a": "my-b"}, ["b@a"], {"all": ["b@a"], "my_b": ["b@a"]}),
            [],
            "The inventory has no group my-b, the na",
        ),
    ],
)
def test_what_cannot_be_used_is_an_error_that_ends_with_what_to_do(
    asked: list[str], inventory: Inventory, files: Sequence[InventoryFile], message: str
) -> None:
    assert message in str(project_error(asked, inventory, files))


def test_a_single_error_of_the_inventory_is_not_counted() -> None:
    assert str(project_error(["x"], Inventory(), [file(FileState.INVALID, "p.yml:3: one")])).endswith("p.yml:3: one")


def test_a_host_may_have_the_name_of_its_project() -> None:
    """A static inventory without groups: Ansible's pattern means that host."""
    assert project_error(["blog"], Inventory({"blog": "blog"}, ["blog"], {"all": ["blog"]}), []) is None


GROUPS = {
    "all": ["blog@a", "blog@b", "shop@a", "web9"],
    "projects": ["blog@a", "blog@b", "shop@a"],
    "blog": ["blog@a", "blog@b"],
    "shop": ["shop@a"],
    "a": ["blog@a", "shop@a"],
    "mixed": ["blog@a", "web9"],
}


@pytest.mark.parametrize(
    ("asked", "hosts"),
    [
        (["blog"], ["blog@a", "blog@b"]),
        (["shop", "blog"], ["shop@a", "blog@a", "blog@b"]),
        (["blog", "shop"], ["blog@a", "shop@a", "blog@b"]),
        (["all"], ["blog@a", "shop@a", "blog@b"]),
        (["blog", "blog"], ["blog@a", "blog@b"]),
        ([], None),
        (["wiki"], None),
        (["a"], None),
        (["mixed"], None),
        (["projects"], None),
        (["blog", "wiki"], None),
    ],
)
def test_names_show_the_hosts_of_projects_in_turns(asked: list[str], hosts: list[str] | None) -> None:
    """What is a group, but no project, is left to the check that reads the inventory."""
    assert plain_hosts(asked, GROUPS) == hosts


def test_names_show_nothing_in_an_inventory_of_another_form() -> None:
    assert plain_hosts(["blog"], {"all": ["blog@a"], "blog": ["blog@a"]}) is None
    assert plain_hosts(["all"], {"all": ["web1"], "projects": ["web1"]}) is None
    assert plain_hosts(["my-b"], {"projects": ["my-b@a"], "my_b": ["my-b@a"]}) is None


def test_hosts_of_any_inventory_come_in_turns() -> None:
    projects = {"w1": "blog", "w2": "blog", "w3": "shop"}
    groups = {"all": [*projects, "x"], "blog": ["w1", "w2"], "shop": ["w3"]}
    inventory = Inventory(projects, groups["all"], groups)
    assert project_hosts(["blog", "shop"], inventory) == ["w1", "w3", "w2"]
    assert project_hosts(["all"], inventory) == ["w1", "w3", "w2"]


def test_a_group_of_projects_limits_all() -> None:
    groups = {"all": ["b", "s"], "projects": ["b"], "b": ["b"], "s": ["s"]}
    assert project_hosts(["all"], Inventory({"b": "b", "s": "s"}, ["b", "s"], groups)) == ["b"]


def test_a_name_with_characters_of_a_pattern_is_left_to_its_group() -> None:
    groups = {"all": ["b@2001:db8::1"], "projects": ["b@2001:db8::1"], "b": ["b@2001:db8::1"]}
    assert plain_hosts(["b"], groups) == ["b"]
