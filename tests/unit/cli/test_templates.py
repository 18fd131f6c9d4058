"""A value that Ansible would run as a template is refused, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetouch_deploy import ArgumentError, deploy, revert, run
from onetouch_deploy.cli import parse
from onetouch_deploy.plan import Plan, arguments

PIPE = "{{ lookup('pipe', 'touch seen') }}"


def ansible(*words: str) -> list[str]:
    """Return the arguments for Ansible that words of the command make."""
    plan = parse([*words])
    assert isinstance(plan, Plan)
    return arguments(plan, Path("projects.yml"))


@pytest.mark.parametrize("words", [["blog", PIPE], [PIPE], ["blog", "revert", "--to", PIPE], ["blog", "{% raw %}"]])
def test_on_the_command_line(words: list[str]) -> None:
    with pytest.raises(ArgumentError, match="is a template, which Ansible would run here"):
        ansible(*words, "--check")


def test_words_of_exec_are_taken_as_they_are() -> None:
    assert "{{ x }}" in ansible("--json", "blog", "exec", "{{ x }}")[4]


@pytest.mark.parametrize("value", [PIPE, [PIPE], {"a": {"b": (1, PIPE)}}, {PIPE: 1}, "{# x #}"])
def test_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="colour is a template"):
        run("history", "blog", colour=value)
    with pytest.raises(ArgumentError, match="ref is a template"):
        deploy("blog", PIPE)
    with pytest.raises(ArgumentError, match="project is a template"):
        revert(PIPE)
    assert not [*tmp_path.iterdir()]


def test_an_empty_ref_is_not_the_default() -> None:
    with pytest.raises(ArgumentError, match="ref is empty"):
        deploy("blog", "")
    with pytest.raises(ArgumentError, match="to is empty"):
        revert("blog", to=" ")
