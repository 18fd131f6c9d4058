"""The controllers: where ansible-playbook is typed with the oldest and the newest supported ansible-core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command import Laptop

CONTROLLER = Path(__file__).parents[1] / "controller"
# Neither this checkout's ansible.cfg nor its collection: the package brings its own.
KEPT = ("PATH", "HOME", "ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_SSH_COMMON_ARGS", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR")


@pytest.fixture(params=["oldest", "newest"])
def controller(request: pytest.FixtureRequest, laptop: Laptop, directory: Path) -> Laptop:
    """A laptop that has the package with one of the two, in the Python of an image."""
    venv = directory / "controllers" / request.param
    image = (venv / "image").read_text().strip()
    return replace(
        laptop,
        environment={name: laptop.environment[name] for name in KEPT},
        ansible_playbook=(str(CONTROLLER), str(directory), image, str(venv / "bin/ansible-playbook")),
    )
