"""restart: what it asks of procmon on each server, the line at its end, and what a failure stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Laptop, Upstream

# In the place of procmon: it writes what it was asked, and answers as procmon does.
PROCMON = """#!/bin/sh
echo "$@" >> {home}/asked
case "$1" in
reload)
    test ! -e {home}/ill || {{ echo "blog: reload failed: no module named blog" >&2; exit 1; }}
    echo "blog: reloaded";;
status) cat {home}/status.json;;
esac
"""
WORKERS = [{"state": "active"}, {"state": "active"}, {"state": "draining"}]
STATUS = {"generation": 5, "commit": "b" * 40, "workers": WORKERS, "restart": {"seconds": 0.4}}


@pytest.fixture
def home(laptop: Laptop) -> Path:
    """Where procmon is, with a program that stands in for it."""
    home = laptop.folder / "procmon"
    program = home / "current/venv/bin/procmon"
    program.parent.mkdir(parents=True)
    program.write_text(PROCMON.format(home=home))
    program.chmod(0o755)
    (home / "status.json").write_text(json.dumps(STATUS, indent=2))
    return home


def settings(home: Path) -> dict[str, str]:
    return {"project_app": "blog:app", "supervisor_home": str(home), "supervisor_config_dir": "/etc/procmon"}


def test_a_restart_ends_with_what_serves_on_each_server(laptop: Laptop, upstream: Upstream, home: Path) -> None:
    laptop.servers("a b", upstream, **settings(home))
    done = laptop.run("playbooks/restart.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    for server in "ab":
        assert f"blog@{server}: restarted in 0.40 s: generation 5 serves bbbbbbbbbbbb, 2 workers active" in done.output
    config = "/etc/procmon/blog.toml"
    asked = [f"reload --wait {config}", f"status --json {config}"]
    assert (home / "asked").read_text().splitlines() == asked * 2


def test_a_restart_that_fails_gives_the_reason_and_stops(laptop: Laptop, upstream: Upstream, home: Path) -> None:
    laptop.servers("a b", upstream, **settings(home))
    (home / "ill").touch()
    done = laptop.run("playbooks/restart.yml", extra={"project": "blog"})
    assert done.code != 0
    assert "blog@a: reload failed: no module named blog" in done.output
    assert (home / "asked").read_text().splitlines() == ["reload --wait /etc/procmon/blog.toml"]
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "blog@b as before not reached" in lines
