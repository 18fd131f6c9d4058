"""A user who leads root elsewhere by links, over real ssh with the login of root that setup and remove have."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Laptop
from server import Server


def lead(server: Server, link: str, target: str) -> None:
    """Make a link as the project's user."""
    server.run("runuser", "-u", "deploy", "--", "ln", "-sfn", target, link)


def owners(server: Server, path: str) -> list[str]:
    """Return who owns what is in a directory, and the directory itself."""
    return sorted({*server.run("find", path, "-printf", "%u\n").split()})


@pytest.mark.timeout(300)
def test_setup_gives_nothing_away_through_a_link(laptop: Laptop, servers: list[Server], tmp_path: Path) -> None:
    """Neither a directory that is there nor a new one, as the project's own and as one that the app writes to."""
    web = servers[0]
    lead(web, "/home/deploy/files", "/etc")
    settings: dict[str, dict[str, object]] = {
        "path": {"path": "/home/deploy/files"},
        "below": {"path": "/home/deploy/files/blog"},
        "uploads": {"writable_paths": ["/home/deploy/files/cron.d/uploads"]},
    }
    for name, changed in settings.items():
        (tmp_path / name).mkdir()
        refused = laptop.with_settings(tmp_path / name, "blog", hosts=["127.0.0.1"], **changed).set_up("blog")
        assert refused.code != 0
        assert "leads through the link /home/deploy/files, which others than root can change" in refused.text
        assert owners(web, "/etc/cron.d") == ["root"]
        assert web.run("stat", "--format=%U", "/etc") == "root"
        assert web.run("find", "/etc", "-maxdepth", "1", "-name", "blog") == ""


@pytest.mark.timeout(300)
def test_remove_empties_no_file_and_no_directory_through_a_link(
    laptop: Laptop, servers: list[Server], tmp_path: Path
) -> None:
    web = servers[0]
    web.run("install", "-d", "/srv/other/releases")
    lead(web, "/home/deploy/apps", "/srv")
    elsewhere = laptop.with_settings(tmp_path, "blog", hosts=["127.0.0.1"], path="/home/deploy/apps/other")
    refused = elsewhere.run("remove", project="blog", confirm="blog", data="true")
    assert refused.code != 0
    assert "leads through the link /home/deploy/apps" in refused.text
    assert web.run("ls", "/srv/other") == "releases"
    lead(web, "/var/www/blog/.deploy.lock", "/etc/hosts")
    before = web.run("cat", "/etc/hosts")
    refused = laptop.with_settings(tmp_path, "blog", hosts=["127.0.0.1"]).run(
        "remove", project="blog", confirm="blog", data="true"
    )
    assert refused.code != 0
    assert web.run("cat", "/etc/hosts") == before
