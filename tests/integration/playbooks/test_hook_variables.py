"""The variables of `env` and `env_file` in the hooks of a project, from the inventory to the hook."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Upstream

PRINT = 'echo "[$SECRET]"'


def printed(path: Path) -> str:
    """Return what the hooks of a project have printed, without their headers."""
    lines = (path / "shared/logs/deploy.log").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("== "))


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"env_file": "{file}"}, "[s3cret]\n"), ({"env": {"SECRET": "s3cret"}}, "[s3cret]\n"), ({}, "[]\n")],
)
def test_hooks_have_the_variables_of_the_app(
    laptop: Laptop, upstream: Upstream, tmp_path: Path, settings: dict[str, object], text: str
) -> None:
    """Also of a project without an app, which setup does not prepare."""
    file = tmp_path / "env"
    file.write_text("SECRET=s3cret\n")
    settings = {key: str(file) if value == "{file}" else value for key, value in settings.items()}
    path = laptop.project("blog", upstream.path, post_deploy=PRINT, **settings)
    done = laptop.run("playbooks/deploy.yml", "-e", "project=blog")
    assert done.code == 0, done.output
    assert printed(path) == text
    assert "s3cret" not in done.output
