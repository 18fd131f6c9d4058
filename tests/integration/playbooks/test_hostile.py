"""Values that mean harm, given as a user gives them: an error that names them, and nothing that runs or is written."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import ROOT, Laptop
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream
from tests.support.sshd import Sshd


@pytest.fixture
def site(laptop: Laptop, tmp_path: Path) -> Site:
    """A project `blog` with `one` live."""
    made = Site(tmp_path / "blog", Upstream.make(tmp_path))
    made.upstream.commit("one")
    made.deploy()
    laptop.project("blog", made.upstream.url, path=made.path, ref="master")
    return made


# Without blanks: Ansible would take what follows one for another variable.
TOUCH = "touch${IFS}MARK"


@pytest.mark.parametrize(
    ("playbook", "asked", "says"),
    [
        ("deploy", {"ref": f"--upload-pack={TOUCH}"}, "cannot be the name of a commit. Use a branch, a tag or a sha"),
        ("deploy", {"ref": f"$({TOUCH})"}, "is unknown. Branches: master"),
        ("deploy", {"project": f"blog;{TOUCH}"}, "There is no project"),
        ("revert", {"to": f"`{TOUCH}`"}, "has never been live"),
    ],
    ids=str,
)
def test_a_hostile_word_is_refused(laptop: Laptop, site: Site, playbook: str, asked: dict[str, str], says: str) -> None:
    mark = laptop.folder / "mark"
    before = {path.name for path in laptop.folder.iterdir()}
    words = {name: value.replace("MARK", str(mark)) for name, value in asked.items()}
    done = laptop.run(f"playbooks/{playbook}.yml", extra={"project": "blog", **words})
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert {path.name for path in laptop.folder.iterdir()} == before
    assert (site.version, site.outcomes.count("live")) == ("one", 1)


HOSTILE = {
    "ext": ("repo", "ext::touch"),
    "option": ("repo", "--upload-pack=touch"),
    "up": ("shared_paths", ["a/../../b"]),
    "away": ("shared_paths", ["/etc/cron.d"]),
    "colon": ("path", "/srv/blog:/tmp/evil"),
    "ref": ("ref", "--upload-pack=touch"),
    "touched": ("restart_file", "../../x"),
}


def test_hostile_settings_are_named_by_file_line_and_section(laptop: Laptop, site: Site) -> None:
    """All at once, and no project of that file is asked, not even a sound one."""
    for name, (key, value) in HOSTILE.items():
        laptop.project(name, **{"repo": site.upstream.url, key: value})
    done = laptop.run("playbooks/deploy.yml", extra={"project": "all"})
    assert done.code != 0
    shown = " ".join(done.output.split())
    lines = laptop.inventory.read_text().splitlines()
    for name, (key, _) in HOSTILE.items():
        section = lines.index(f"  {name}:")
        line = next(number for number in range(section, len(lines)) if lines[number].startswith(f"    {key}:")) + 1
        assert f"{laptop.inventory}:{line}: project {name}, {key}: must be " in shown
    assert not (laptop.folder / "srv").exists()
    assert site.outcomes == ["live"]


def test_a_path_with_blanks_and_quotes_is_a_path(laptop: Laptop, sshd: Sshd, tmp_path: Path) -> None:
    """Two shells see it on its way: ssh's on the server, and the hook's."""
    site = Site(tmp_path / "a \"b\" 'c' $(touch ran-it) é;", Upstream.make(tmp_path))
    site.upstream.commit("one")
    login = {"connection": "ssh", "host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser()}
    hook = 'cp VERSION "$SHARED/seen"'
    laptop.project("blog", site.upstream.url, **login, path=site.path, ref="master", post_deploy=hook)
    before = {path.name for path in tmp_path.iterdir()}
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert (site.version, (site.paths.shared / "seen").read_text()) == ("one", "one\n")
    assert {path.name for path in tmp_path.iterdir()} == {*before, site.path.name}
    assert not any((place / "ran-it").exists() for place in (ROOT, Path.home(), site.paths.current))
