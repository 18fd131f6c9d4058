"""What `remove` does on a server with systemd, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import Result
from ansible_collections.onetouch.deploy.plugins.module_utils._remove import project as parts
from ansible_collections.onetouch.deploy.plugins.module_utils._remove.project import Project

SOCKET, SERVICE = "procmon@blog.socket", "procmon@blog.service"


class Systemctl:
    """Answers as systemd does, and remembers what it was asked for and which files there were then."""

    def __init__(self, units: Path, active: Sequence[str] = (), fails: str = "") -> None:
        self.units, self.active, self.fails = units, active, fails
        self.calls: list[tuple[str, bool]] = []

    def __call__(
        self,
        argv: Sequence[str],
        cwd: str | None = None,
        env: Mapping[str, str | None] | None = None,
        silence: float | None = None,
    ) -> Result:
        assert (argv[0], cwd, env, silence) == ("systemctl", None, None, None)
        words = [word for word in argv[1:] if word != "--quiet"]
        if words[0].startswith("is-"):
            return Result(0 if words[1] in self.active else 3, "", "")
        self.calls.append((" ".join(words), (self.units / SOCKET).exists()))
        return Result(1, "", "no") if words[0] == self.fails else Result(0, "", "")


@pytest.fixture
def blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with all that setup writes."""
    monkeypatch.setattr(parts, "UNITS", tmp_path / "units")
    files = (f"units/{SOCKET}", f"units/{SERVICE}.d/project.conf", "units/procmon@.service", "etc/blog.toml")
    for file in (*files, "run/blog/status.json"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return Project("blog", tmp_path / "srv", tmp_path / "etc", tmp_path / "run/blog", systemd=True, by="me")


def remove(project: Project, systemctl: Systemctl) -> list[str]:
    """Remove it as the module does, and return what is left of its files."""
    units = parts.enabled_units(project, systemctl)
    parts.stop(units, systemctl)
    parts.remove(parts.own_files(project))
    parts.reload_units(project, systemctl)
    return sorted(path.name for path in systemctl.units.iterdir())


def test_units_are_disabled_and_stopped_before_their_files_go(blog: Project) -> None:
    """Disabled first: what a lost connection leaves does not start with the server."""
    systemctl = Systemctl(parts.UNITS, [SOCKET, SERVICE])
    assert remove(blog, systemctl) == ["procmon@.service"], "that of all projects stays"
    assert systemctl.calls == [
        (f"disable {SOCKET} {SERVICE}", True),
        (f"stop {SOCKET} {SERVICE}", True),
        ("daemon-reload", False),
        (f"reset-failed {SOCKET} {SERVICE}", False),
    ]
    assert not blog.state_dir.exists()
    assert parts.own_files(blog) == []


def test_a_unit_that_is_not_there_is_not_named(blog: Project) -> None:
    """A project that has bound its address itself has no socket; systemctl would fail for it."""
    systemctl = Systemctl(parts.UNITS, [SERVICE])
    remove(blog, systemctl)
    assert systemctl.calls[:2] == [(f"disable {SERVICE}", True), (f"stop {SERVICE}", True)]


@pytest.mark.parametrize("fails", ["disable", "stop"])
def test_files_stay_when_systemd_cannot(blog: Project, fails: str) -> None:
    """So that the same command can be given again."""
    with pytest.raises(ReleaseError, match=rf"systemctl {fails} {SOCKET} {SERVICE} failed. See journalctl"):
        remove(blog, Systemctl(parts.UNITS, [SOCKET, SERVICE], fails))
    assert (parts.UNITS / SOCKET).exists()


def test_without_systemd_nothing_is_asked(blog: Project) -> None:
    systemctl = Systemctl(parts.UNITS)
    remove(replace(blog, systemd=False), systemctl)
    assert systemctl.calls == []
    assert (parts.UNITS / SOCKET).exists()


@pytest.mark.parametrize(
    ("names", "others"),
    [
        ([], []),
        ([".deploy.lock", "configs", "procmon.toml"], []),
        ([".deploy.lock", ".procmon.toml.new", ".source.new", ".procmon.env.back", "shared", "envs"], []),
        ([".deploy.lock", "thesis", "shared"], ["thesis"]),
        ([".deploy.lock", "thesis.new", ".new", ".thesis.back"], [".new", ".thesis.back", "thesis.new"]),
        (["shared", "configs"], ["configs", "shared"]),
        (["envs"], ["envs"]),
    ],
)
def test_what_setup_has_not_made_is_found(names: list[str], others: list[str]) -> None:
    """Without the lock, directories of common names may be another's."""
    assert parts.foreign(names, has_own_tools=False) == others


def test_a_builder_of_environments_is_installed_before_the_lock() -> None:
    assert parts.foreign(["envs"], has_own_tools=True) == []
    assert parts.foreign(["envs", "shared"], has_own_tools=True) == ["shared"]


def test_an_empty_directory_is_the_projects_where_its_user_owns_it(blog: Project) -> None:
    """As setup gives it to the user, before there is anything in it. Another's may be where a disk is to be mounted."""
    blog.path.mkdir()
    assert parts.data(blog) == [blog.path]
    assert parts.data(replace(blog, user="a-user-who-is-gone")) == [blog.path]
    with pytest.raises(ReleaseError, match=rf"{blog.path} is not the directory .*: it is empty, and not daemon's"):
        parts.data(replace(blog, user="daemon"))


def test_many_things_of_others_are_counted(blog: Project) -> None:
    for name in "abcde":
        (blog.path / name).mkdir(parents=True)
    with pytest.raises(ReleaseError, match=r": it has a, b, c and 2 more, and none of source, "):
        parts.data(blog)
    (blog.path / "source").mkdir()
    assert parts.data(blog) == [blog.path], "as the original script leaves it"
