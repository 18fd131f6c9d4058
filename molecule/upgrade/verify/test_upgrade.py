"""From an earlier procmon, and from the tree of an earlier version: what serves goes on serving all requests."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Done, Laptop
from load import load
from procmon import main_pid, status, variable, wait_for
from server import Server
from upstream import Upstream

BLOG = 3001
FILES = "configs procmon.* source/.procmon.toml releases/*/.procmon.toml"
UNIT = "procmon@blog.service"


def well(done: Done) -> Done:
    """Return a run that went well."""
    assert done.code == 0, done.output
    return done


@pytest.fixture(autouse=True)
def _served(laptop: Laptop, upstream: Callable[[str], Upstream]) -> None:
    """There is something to serve."""
    upstream("blog").publish("before")
    upstream("blog").publish("served")
    well(laptop.run("deploy", project="blog"))


@pytest.fixture
def with_0_1(laptop: Laptop, tmp_path: Path) -> Laptop:
    """A laptop whose collection has procmon 0.1.0, of before its master ran on asyncio."""
    laptop, collection = laptop.with_collection_at(tmp_path)
    shutil.rmtree(collection / "roles/supervisor/files/procmon/src")
    with tarfile.open(laptop.checkout / "tests/support/procmon/builds/procmon-0.1.0.tar.gz") as archive:
        archive.extractall(collection, filter="data")
    return laptop


def builds(server: Server) -> list[str]:
    """The installed builds of procmon; beside them is uv, for all projects of the server."""
    return server.run(
        "find", "/opt/procmon", "-mindepth", "1", "-maxdepth", "1", "-type", "d", "!", "-name", "tools"
    ).splitlines()


@pytest.mark.timeout(600)
def test_setup_upgrades_procmon_0_1_in_place(laptop: Laptop, with_0_1: Laptop, web1: Server) -> None:
    """It is not taken back in place, which setup reports; only a restart brings it."""
    done = with_0_1.set_up("blog")
    assert done.code != 0
    assert "blog: upgrade failed, " in done.output
    with load(web1, BLOG) as report:
        web1.run("systemctl", "restart", UNIT)
        old = status(web1, "blog")
        assert old["version"] == "0.1.0"
        done = laptop.set_up("blog")
        assert done.code == 0, done.output
        new = status(web1, "blog")
        assert new["version"] != "0.1.0"
        assert [one["pid"] for one in new["workers"]] == [one["pid"] for one in old["workers"]]
        assert len(builds(web1)) == 2, "the old workers still use the other one"
        web1.run("systemctl", "reload", UNIT)
        wait_for(lambda: status(web1, "blog")["generation"] > new["generation"], "it has reloaded")
    assert report.lost == []
    assert main_pid(web1, "blog") == old["pid"] == status(web1, "blog")["pid"]
    assert laptop.set_up("blog").code == 0
    assert len(builds(web1)) == 1, "the old workers have gone, and their build with them"


@pytest.mark.timeout(600)
def test_a_tree_of_an_earlier_version_migrates_without_a_gap(laptop: Laptop, web1: Server, tmp_path: Path) -> None:
    """Root's file is what procmon reads there; deploys go on, and the next setup makes it a link."""
    toml = web1.run("cat", "/srv/blog/procmon.toml")
    web1.run("sh", "-c", f"cd /srv/blog && rm -r {FILES}")
    web1.run("sh", "-c", f"rm /etc/procmon/blog.toml; cat > /etc/procmon/blog.toml <<'E'\n{toml}\nE")
    web1.run("systemctl", "restart", "procmon@blog.service")
    pid = status(web1, "blog")["pid"]
    changed = laptop.with_settings(tmp_path, "blog", env={"COLOUR": "green"})
    with load(web1, BLOG) as report:
        done = well(changed.run("deploy", project="blog"))
        assert "procmon still reads /etc/procmon/blog.toml. Run setup once" in " ".join(done.output.split())
        well(changed.set_up("blog"))
        assert variable(web1, "blog", "COLOUR") == "green"
        well(laptop.run("deploy", project="blog"))
        assert variable(web1, "blog", "COLOUR") == ""
    assert report.lost == []
    assert status(web1, "blog")["pid"] == pid
    assert web1.run("readlink", "/etc/procmon/blog.toml") == "/srv/blog/procmon.toml"
