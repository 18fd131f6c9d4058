"""The configuration that a deploy brings, from projects.yml to the server: by the playbooks, as a user changes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.playbooks.conftest import Laptop, Upstream


def encrypted(text: str, folder: Path) -> str:
    """Return a text for YAML, encrypted with a password that no playbook is given."""
    (folder / "password").write_text("correct horse")
    program = str(Path(sys.executable).parent / "ansible-vault")
    argv = [program, "encrypt_string", "--vault-password-file", str(folder / "password"), text]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def deployed(laptop: Laptop, *more: str) -> str:
    """Deploy the project, and return what was shown."""
    done = laptop.run("playbooks/deploy.yml", "-e", "project=blog", *more)
    assert done.code == 0, done.output
    return done.output


def test_a_changed_variable_is_a_deploy_and_its_value_is_never_shown(laptop: Laptop, upstream: Upstream) -> None:
    path = laptop.project("blog", upstream.path, env={"COLOUR": "hidden-red", "SAME": "1"})
    deployed(laptop)
    assert (path / "procmon.env").read_text() == 'COLOUR="hidden-red"\nSAME="1"\n'
    laptop.inventory.write_text(laptop.inventory.read_text().replace("hidden-red", "hidden-blue"))
    shown = deployed(laptop, "--check", "--diff", "-vvv")
    assert "~ env.COLOUR" in shown
    assert "would go live (no new commits; settings: env.COLOUR)" in shown
    shown += deployed(laptop, "-vvv")
    assert "is live (no new commits; settings: env.COLOUR)" in shown
    assert "hidden" not in shown
    assert (path / "procmon.env").read_text() == 'COLOUR="hidden-blue"\nSAME="1"\n'
    assert "is already live" in deployed(laptop)


def test_config_keep_deploys_code_without_the_password_of_the_vault(
    laptop: Laptop, upstream: Upstream, tmp_path: Path
) -> None:
    path = laptop.project("blog", upstream.path, env={"COLOUR": "red"})
    deployed(laptop)
    plain = '    env: {"COLOUR": "red"}\n'
    text = laptop.inventory.read_text()
    assert plain in text
    value = encrypted("blue", tmp_path).replace("\n", "\n        ")
    laptop.inventory.write_text(text.replace(plain, f"    env:\n      COLOUR: {value}\n"))
    upstream.commit("two")
    refused = laptop.run("playbooks/deploy.yml", "-e", "project=blog")
    assert refused.code != 0
    assert "is live (1 commit)" in deployed(laptop, "-e", "config=keep")
    assert (path / "procmon.env").read_text() == 'COLOUR="red"\n'
