"""What the actions that run a module on a server report about a variable."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import unevaluated


def test_a_variable_of_the_configuration_is_named_with_its_key() -> None:
    assert unevaluated("project_env", "blog@web1", "'x' is undefined") == (
        "The variable project_env (key env) of blog@web1 cannot be evaluated. Correct it where the inventory sets it."
    )
    assert unevaluated("project_name", "blog@web1", "").startswith("The variable project_name of blog@web1 cannot")


@pytest.mark.parametrize(
    ("typed", "keep"), [({}, "-e config=keep"), ({"ONETOUCH_DEPLOY_TYPED": "deploy"}, "--keep-config")]
)
def test_a_vault_without_its_password_has_a_way_out(
    typed: dict[str, str], keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in typed.items():
        monkeypatch.setenv(name, value)
    found = unevaluated("project_env", "blog@web1", "Attempting to decrypt but no vault secrets found.")
    assert found.endswith(f"Give the vault's password, such as by --ask-vault-pass; {keep} deploys code without it.")
