"""The configuration travels with a deploy: settings and variables under load, and trees of earlier versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command import Done, Laptop
from load import load
from procmon import status, variable
from server import Server
from upstream import Upstream

BLOG = 3001
Of = Callable[[str], Upstream]


def active(server: Server) -> int:
    """Return how many workers serve."""
    return sum(worker["state"] == "active" for worker in status(server, "blog")["workers"])


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
    changed = laptop.with_settings(tmp_path, "blog", workers=3, env={"COLOUR": "blue"})
    with load(web1, BLOG) as report:
        done = live(changed.run("deploy", project="blog"))
        assert "settings: workers, env.COLOUR" in " ".join(done.output.split())
        assert (active(web1), variable(web1, "blog", "COLOUR")) == (3, "blue")
        assert set(live(changed.run("deploy", project="blog")).changed.values()) == {0}
        upstream("blog").publish("newer")
        live(changed.run("deploy", project="blog"))
        # The release goes back, the settings of today stay.
        live(changed.run("revert", project="blog"))
        assert (active(web1), variable(web1, "blog", "COLOUR")) == (3, "blue")
    assert report.lost == []
    assert set(report.answers) == {"configured", "newer"}
    assert web1.run("stat", "-L", "--format=%a %U", "/srv/blog/procmon.env") == "600 deploy"


@pytest.mark.timeout(300)
def test_a_wrong_setting_is_put_back_and_the_reason_is_shown(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    before = status(web1, "blog")["active_config_file"]
    wrong = laptop.with_settings(tmp_path, "blog", app="absent:app", env={"COLOUR": "blue"})
    with load(web1, BLOG) as report:
        done = wrong.run("deploy", project="blog")
    assert done.code != 0
    assert 'Could not import module "absent"' in " ".join(done.output.split())
    assert report.lost == []
    assert (status(web1, "blog")["active_config_file"], variable(web1, "blog", "COLOUR")) == (before, "")
    web1.run("systemctl", "restart", "procmon@blog.service")
    assert web1.get_within(60, BLOG) == "configured"


@pytest.mark.timeout(300)
def test_a_new_address_waits_for_setup_and_is_named(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    moved = laptop.with_settings(tmp_path, "blog", bind="127.0.0.1:3998")
    done = live(moved.run("deploy", project="blog"))
    assert "run setup for: bind" in " ".join(done.output.split())
    assert web1.get(BLOG) == "configured"
