"""Commands as people type them, in messages."""

from __future__ import annotations

import pytest
from ansible import context
from ansible_collections.onetouch.deploy.plugins.plugin_utils._typed import PROGRAM, name_setup, typed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("There is none. Run setup", "There is none. Run `deploy blog setup`"),
        ("There is none. Run setup, which adds it.", "There is none. Run `deploy blog setup`, which adds it."),
        (
            "If that fails, run setup. Nothing was changed.",
            "If that fails, run `deploy blog setup`. Nothing was changed.",
        ),
        ("Run setup\nfatal: no", "Run `deploy blog setup`\nfatal: no"),
        ("run setup for: bind", "run setup for: bind"),
        ("Run setup.py first", "Run setup.py first"),
    ],
)
def test_setup_is_named_as_it_is_typed(monkeypatch: pytest.MonkeyPatch, text: str, named: str) -> None:
    monkeypatch.setenv(PROGRAM, "deploy")
    assert name_setup(text, "blog") == named


def test_without_the_command_it_is_the_playbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRAM, raising=False)
    assert name_setup("Run setup", "blog") == "Run `ansible-playbook setup.yml -e project=blog`"


def test_a_command_that_needs_the_password_again_has_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRAM, "deploy")
    monkeypatch.setattr(context, "CLIARGS", {"become_ask_pass": True})
    assert [typed(command, "blog") for command in ("setup", "deploy")] == ["deploy blog setup -K", "deploy blog"]
    monkeypatch.delenv(PROGRAM)
    assert typed("setup", "blog") == "ansible-playbook setup.yml -e project=blog -K"
