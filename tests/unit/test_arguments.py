"""The modules' arguments from the variables of a host: what is read, and what is left to the modules' defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.options import DEFAULTS
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _arguments
from ansible_collections.onetouch.deploy.plugins.plugin_utils._arguments import (
    config_error,
    info_arguments,
    release_arguments,
    reload_command,
)

ROLES = Path(__file__).parents[2] / "roles"
HERE = {"project_name": "blog", "project_path": "/srv/blog", "project_repo": "git@host:blog.git"}
APP = {**HERE, "project_app": "blog:app", "project_bind": "127.0.0.1:3001"}


class Variables:
    """Variables that remember which of them were read."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values
        self.names: set[str] = set()

    def __call__(self, name: str) -> object:
        self.names.add(name)
        return self.values.get(name)


def arguments(state: str, commit: str = "", /, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """Return the arguments for `state`."""
    return release_arguments(state, Variables({**HERE, **values}), "me@laptop", commit)


def test_what_is_not_set_is_left_to_the_module() -> None:
    assert arguments("deployed") == {
        "state": "deployed",
        "name": "blog",
        "path": "/srv/blog",
        "repo": "git@host:blog.git",
        "by": "me@laptop",
        "python": "/usr/bin/python3",
        "env": "",
    }


@pytest.mark.parametrize("state", ["deployed", "reverted"])
def test_hooks_may_be_left_out(state: str) -> None:
    hooks = {"pre_deploy": "a", "post_deploy": "b", "test": "c"}
    given = {f"project_{name}": command for name, command in hooks.items()}
    for value in (None, "", True, "yes"):
        assert hooks.items() <= arguments(state, **given, hooks=value).items()
    for value in (False, "false", "no"):
        assert not hooks.keys() & arguments(state, **given, hooks=value).keys()
    with pytest.raises(AnsibleError, match=r"hooks is 'maybe'\. Its only values are true and false\."):
        arguments(state, hooks="maybe")


def test_the_defaults_of_the_role_are_those_of_the_module_and_of_this_file() -> None:
    """A project that is deployed has the settings with which it was set up."""
    defaults = yaml.safe_load((ROLES / "project/defaults/main.yml").read_text())
    for option in {option for options in _arguments.BY_STATE.values() for option in options} - {"repo"}:
        expected = DEFAULTS[option]
        expected = list(expected) if isinstance(expected, tuple) else expected
        assert (defaults.get(f"project_{option}") or None) == (expected or None), option
    assert defaults["project_python"] == _arguments.PYTHON
    supervisor = yaml.safe_load((ROLES / "supervisor/defaults/main.yml").read_text())
    assert supervisor["supervisor_config_dir"] == _arguments.CONFIG_DIRECTORY
    assert supervisor["supervisor_home"] == _arguments.PROCMON_HOME
    assert f"default({_arguments.WORKERS})" in supervisor["supervisor_workers"]


def test_a_setting_of_the_project_is_an_argument() -> None:
    given: dict[str, Any] = {
        "project_keep": 3,
        "project_test": "./test",
        "project_lock_wait": 0,
        "project_shared_paths": [],
    }
    found = arguments("deployed", **given)
    assert (found["keep"], found["test"], found["lock_wait"], found["shared_paths"]) == (3, "./test", 0, [])


@pytest.mark.parametrize(
    ("values", "ref"),
    [({}, None), ({"project_ref": "main"}, "main"), ({"project_ref": "main", "ref": "v1"}, "v1"), ({"ref": ""}, None)],
)
def test_the_ref_of_the_command_takes_precedence(values: dict[str, Any], ref: str | None) -> None:
    assert arguments("deployed", **values).get("ref") == ref


def test_a_revert_asks_for_no_ref_and_goes_to_what_the_first_server_has_found() -> None:
    found = arguments("reverted", project_ref="main", steps="2")
    assert (found["steps"], found.keys() & {"ref", "repo", "commit", "to"}) == ("2", set())
    assert arguments("reverted", "c")["to"] == "c"
    assert arguments("reverted", "c", to="b")["to"] == "b"
    assert arguments("prepared", "c")["commit"] == "c"


def test_hooks_are_only_for_what_goes_live() -> None:
    assert not arguments("prepared", project_test="x", project_post_deploy="y").keys() & {"test", "post_deploy"}


def test_a_project_with_an_app_brings_the_settings_of_procmon() -> None:
    found = arguments("deployed", **APP, project_worker={"max_age": 60}, project_workers="3")
    assert found["status_file"] == "/run/procmon/blog/status.json"
    assert found["config"] == {
        "app": "blog:app",
        "bind": "127.0.0.1:3001",
        "workers": 3,
        "heartbeat": {},
        "reload": {},
        "worker": {"max_age": 60},
        "uvicorn": {},
    }
    assert arguments("deployed", **APP, supervisor_workers=4, project_workers=3)["config"]["workers"] == 4
    assert arguments("deployed", **APP, project_writable_paths=["/srv/x"])["writable_paths"] == ["/srv/x"]
    assert arguments("deployed", **APP, project_status_file="/x")["status_file"] == "/x"
    assert arguments("deployed").keys() & {"config", "status_file", "writable_paths"} == set()


def test_the_variables_of_the_app_are_one_text() -> None:
    """In the syntax of procmon: a value may have several lines, quotes and any characters."""
    env = {"A": "1", "TEXT": 'a "b"\nc', "NAME": "Zoë"}
    assert arguments("deployed", project_env=env)["env"] == 'A="1"\nTEXT="a \\"b\\"\\nc"\nNAME="Zoë"\n'


def test_with_config_keep_no_setting_of_the_app_is_evaluated() -> None:
    """A vaulted value need not be readable then."""
    variables = Variables({**APP, "config": "keep", "project_env": {"A": "secret"}, "project_env_file": "/x"})
    found = release_arguments("deployed", variables, "me")
    assert found.keys() & {"config", "env", "env_file"} == set()
    assert variables.names & {"project_env", "project_env_file", "project_workers", "project_uvicorn"} == set()
    assert found["status_file"], "procmon answers all the same"


@pytest.mark.parametrize(("value", "right"), [(None, True), ("keep", True), ("", True), ("drop", False), (True, False)])
def test_config_has_one_value(value: object, *, right: bool) -> None:
    assert (config_error(value) is None) is right


def test_status_and_restart_need_few_variables() -> None:
    assert info_arguments(Variables(APP)) == {
        "name": "blog",
        "path": "/srv/blog",
        "status_file": "/run/procmon/blog/status.json",
        "config": release_arguments("deployed", Variables(APP), "tj")["config"],
        "writable_paths": [],
    }
    assert "config" not in info_arguments(Variables(HERE))
    argv = reload_command(Variables({**APP, "supervisor_home": "/opt/p"}))["argv"]
    assert argv[-2:] == ["/opt/p/current/venv/bin/procmon", "/etc/procmon/blog.toml"]


@pytest.mark.parametrize("value", ["many", {"a": 1}, [2, 3]])
def test_a_number_of_workers_that_is_none_is_an_error(value: object) -> None:
    with pytest.raises(AnsibleError, match=r"workers is .*It must be a whole number of 1 or more"):
        arguments("deployed", **APP, project_workers=value)
