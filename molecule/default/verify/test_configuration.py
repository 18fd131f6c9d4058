"""The configuration travels with a deploy: settings and variables under load, and trees of earlier versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Done, Laptop
from load import load
from server import Server
from upstream import Upstream

BLOG = 3001
Of = Callable[[str], Upstream]


def with_settings(laptop: Laptop, folder: Path, **settings: object) -> Laptop:
    """Return the laptop with other settings of blog in its projects.yml."""
    inventory = yaml.safe_load(laptop.inventory.read_text())
    inventory["projects"]["blog"] |= settings
    changed = folder / "projects.yml"
    changed.write_text(yaml.safe_dump(inventory))
    return replace(laptop, inventory=changed)


def status(server: Server) -> dict[str, Any]:
    """Return what procmon reports."""
    found: dict[str, Any] = json.loads(server.run("cat", "/run/procmon/blog/status.json"))
    return found


def colour(server: Server) -> str:
    """Return the variable COLOUR of a worker that serves."""
    worker = next(worker["pid"] for worker in status(server)["workers"] if worker["state"] == "active")
    variables = server.run("runuser", "-u", "deploy", "--", "cat", f"/proc/{worker}/environ").split("\0")
    return next((line.partition("=")[2] for line in variables if line.startswith("COLOUR=")), "")


def active(server: Server) -> int:
    """Return how many workers serve."""
    return sum(worker["state"] == "active" for worker in status(server)["workers"])


def live(done: Done) -> Done:
    """Return a run that went well."""
    assert done.code == 0, done.output
    return done


@pytest.fixture(autouse=True)
def _as_before(laptop: Laptop, upstream: Of) -> None:
    """Begin with the scenario's own settings, and a version of its own."""
    upstream("blog").publish("unconfigured")
    upstream("blog").publish("configured")
    live(laptop.run("deploy", project="blog"))


@pytest.mark.timeout(300)
def test_a_variable_and_a_worker_count_go_live_by_a_deploy_and_nothing_is_lost(
    laptop: Laptop, web1: Server, upstream: Of, tmp_path: Path
) -> None:
    changed = with_settings(laptop, tmp_path, workers=3, env={"COLOUR": "blue"})
    with load(web1, BLOG) as report:
        done = live(changed.run("deploy", project="blog"))
        assert "settings: workers, env.COLOUR" in " ".join(done.output.split())
        assert (active(web1), colour(web1)) == (3, "blue")
        assert set(live(changed.run("deploy", project="blog")).changed.values()) == {0}
        upstream("blog").publish("newer")
        live(changed.run("deploy", project="blog"))
        # The release goes back, the settings of today stay.
        live(changed.run("revert", project="blog"))
        assert (active(web1), colour(web1)) == (3, "blue")
    assert report.lost == []
    assert set(report.answers) == {"configured", "newer"}
    assert web1.run("stat", "-L", "--format=%a %U", "/srv/blog/procmon.env") == "600 deploy"


@pytest.mark.timeout(300)
def test_a_wrong_setting_is_put_back_and_the_reason_is_shown(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    before = status(web1)["active_config_file"]
    wrong = with_settings(laptop, tmp_path, app="absent:app", env={"COLOUR": "blue"})
    with load(web1, BLOG) as report:
        done = wrong.run("deploy", project="blog")
    assert done.code != 0
    assert 'Could not import module "absent"' in " ".join(done.output.split())
    assert report.lost == []
    assert (status(web1)["active_config_file"], colour(web1)) == (before, "")
    web1.run("systemctl", "restart", "procmon@blog.service")
    assert web1.get_within(60, BLOG) == "configured"


@pytest.mark.timeout(300)
def test_a_new_address_waits_for_setup_and_is_named(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    moved = with_settings(laptop, tmp_path, bind="127.0.0.1:3998")
    done = live(moved.run("deploy", project="blog"))
    assert "run setup for: bind" in " ".join(done.output.split())
    assert web1.get(BLOG) == "configured"


@pytest.mark.timeout(600)
def test_a_tree_of_an_earlier_version_migrates_without_a_gap(
    laptop: Laptop, web1: Server, directory: Path, tmp_path: Path
) -> None:
    """Root's file is what procmon reads there; deploys go on, and the next setup makes it a link."""
    toml = web1.run("cat", "/srv/blog/procmon.toml")
    tree = "configs procmon.* source/.procmon.toml releases/*/.procmon.toml"
    web1.run("sh", "-c", f"cd /srv/blog && rm -r {tree}")
    web1.run("sh", "-c", f"rm /etc/procmon/blog.toml; cat > /etc/procmon/blog.toml <<'E'\n{toml}\nE")
    web1.run("systemctl", "restart", "procmon@blog.service")
    pid = status(web1)["pid"]
    changed = with_settings(laptop, tmp_path, env={"COLOUR": "green"})
    key = json.loads((directory / "servers.json").read_text())["upstream_key"]
    known = json.dumps({"project_known_hosts": [f"upstream {key}"]})
    with load(web1, BLOG) as report:
        done = live(changed.run("deploy", project="blog"))
        assert "procmon still reads /etc/procmon/blog.toml. Run setup once" in " ".join(done.output.split())
        live(changed.run("setup", "-e", known, project="blog"))
        assert colour(web1) == "green"
        live(laptop.run("deploy", project="blog"))
        assert colour(web1) == ""
    assert report.lost == []
    assert status(web1)["pid"] == pid
    assert web1.run("readlink", "/etc/procmon/blog.toml") == "/srv/blog/procmon.toml"
