"""What setup says of settings that cannot work: which one, what was found, and what to do; before anything is made."""

from __future__ import annotations

import pytest

from .conftest import Laptop, Upstream

SERVED = {"app": "main:app", "bind": "127.0.0.1:3001"}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("project_path", "srv", "blog: path must be absolute, it is 'srv'"),
        ("project_repo", "", "blog: repo must not be empty"),
        ("project_repo", "ext::touch", "blog: repo must be an ssh or https address, or a path, it is 'ext::touch'"),
        ("project_strategy", "inplace", "value of project_strategy must be one of: releases, in_place, got: inplace"),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    laptop: Laptop, upstream: Upstream, variable: str, value: str, says: str
) -> None:
    laptop.project("blog", upstream.path)
    done = laptop.run("playbooks/setup.yml", extra={"project": "blog", variable: value})
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert not (laptop.folder / "srv").exists()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("supervisor_app", "main.py", "blog: app must read module:attribute, it is 'main.py'"),
        ("supervisor_bind", "3001", "blog: bind must read address:port or unix:/path, it is '3001'"),
        ("supervisor_workers", "0", "blog: workers must be 1 or more, it is 0"),
        ("supervisor_python", "/nowhere/python", "'/nowhere/python' cannot be run on blog@localhost"),
    ],
)
def test_a_setting_of_procmon_that_cannot_work_is_named(
    laptop: Laptop, upstream: Upstream, variable: str, value: str, says: str
) -> None:
    laptop.project("blog", upstream.path, **SERVED)
    home = laptop.folder / "procmon"
    ours = {"supervisor_systemd": "false", "supervisor_home": str(home)}
    done = laptop.run("playbooks/setup.yml", extra={"project": "blog", **ours, variable: value})
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert not home.exists()


def test_root_does_not_run_the_app(laptop: Laptop, upstream: Upstream) -> None:
    """And it says what to do where only root can log in."""
    laptop.project("blog", upstream.path)
    done = laptop.run(
        "playbooks/setup.yml", extra={"project": "blog", "project_system": "true", "project_user": "root"}
    )
    assert done.code != 0
    assert "say `admin: root` and a `user` that setup will create" in " ".join(done.output.split())
