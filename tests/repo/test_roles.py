"""Roles document what they take."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLES = sorted(path.parent.parent for path in Path(__file__).parents[2].glob("roles/*/defaults/main.yml"))


def test_there_are_roles() -> None:
    assert {role.name for role in ROLES} >= {"project", "supervisor"}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_each_default_is_documented_and_optional(role: Path) -> None:
    """A default that the specification does not know is never checked; a required option has no use for one.

    What the specification says of it is what people read: it must be the same, but for what Ansible fills in.
    """
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    specification = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    options = specification["argument_specs"]["main"]["options"]
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) - set(options) == set()
    assert required & set(defaults) == set()
    literal = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert {name: option["default"] for name, option in options.items() if "default" in option} == literal
