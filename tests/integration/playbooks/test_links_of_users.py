"""What root does where a user may write: a link of that user leads root nowhere.

The user is the last of the system, whose directory is in one of root that all can enter, unlike pytest's own.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._remove import project as remove_parts
from ansible_collections.onetouch.deploy.plugins.module_utils._remove.project import Project
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import directories, facts, git_access
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.as_user import acting_as
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.directories import UnsafeLinkError, Wanted

USER = pwd.getpwuid(65534)
ROOT = pwd.getpwuid(0)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the user, beside one of root that must stay as it is."""
    assert os.geteuid() == 0, "this test has a user of its own: run it as root"
    with tempfile.TemporaryDirectory(prefix="links-") as folder:
        base = Path(folder).resolve()
        base.chmod(0o755)
        (base / "etc").mkdir(mode=0o700)
        (base / "etc/secret").write_text("root's")
        (base / "home").mkdir()
        os.chown(base / "home", USER.pw_uid, USER.pw_gid)
        yield base / "home"


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def owned_by_user(path: Path) -> bool:
    return path.lstat().st_uid == USER.pw_uid


def test_directories_get_their_owners(home: Path) -> None:
    """What is missing above is root's in a directory of root, and the user's in one of the user."""
    for base, above in ((home, USER), (home.parent, ROOT)):
        wanted = Wanted(base / "apps/of/blog", USER)
        assert directories.differs(wanted)
        directories.ensure(wanted)
        assert [path.stat().st_uid for path in (base / "apps", base / "apps/of", wanted.path)] == [
            *(above.pw_uid, above.pw_uid, USER.pw_uid)
        ]
        assert not directories.differs(replace(wanted, exact=True))


def test_a_directory_that_exists_is_only_changed_where_asked(home: Path) -> None:
    blog = home / "blog"
    blog.mkdir(mode=0o777)
    wanted = Wanted(blog, USER)
    directories.ensure(wanted)
    assert not owned_by_user(blog)
    assert directories.differs(replace(wanted, exact=True))
    directories.ensure(replace(wanted, exact=True))
    assert (owned_by_user(blog), blog.stat().st_mode & 0o7777) == (True, 0o755)


@pytest.mark.parametrize("place", ["blog", "blog/uploads", "blog/uploads/more"])
@pytest.mark.parametrize("exact", [True, False])
def test_root_gives_nothing_away_through_a_link_of_the_user(home: Path, place: str, exact: bool) -> None:
    """Neither what the link leads to nor anything in it, wherever in the path it is."""
    etc = home.parent / "etc"
    with acting_as(USER):
        (home / "blog").symlink_to(etc)
    for step in (directories.differs, directories.ensure):
        with pytest.raises(UnsafeLinkError, match=f"{home}/blog, which others than root can change"):
            step(Wanted(home / place, USER, exact))
    assert (etc.stat().st_uid, etc.stat().st_mode & 0o777, names(etc)) == (0, 0o700, ["secret"])


def test_a_link_to_nothing_creates_nothing_elsewhere(home: Path) -> None:
    with acting_as(USER):
        (home / "blog").symlink_to(home.parent / "etc/cron.d")
    with pytest.raises(UnsafeLinkError):
        directories.ensure(Wanted(home / "blog", USER))
    assert names(home.parent / "etc") == ["secret"]


@pytest.mark.parametrize("target", ["data/www", "{base}/data/www", "./loop/../data/www"])
def test_a_link_of_root_is_followed(home: Path, target: str) -> None:
    """/var/www is often a link to a larger disk."""
    base = home.parent
    (base / "loop").mkdir()
    (base / "data").mkdir()
    (base / "www").symlink_to(target.format(base=base))
    directories.ensure(Wanted(base / "www/blog", USER, exact=True))
    assert owned_by_user(base / "data/www/blog")
    assert not owned_by_user(base / "data/www")


def test_links_in_a_circle_are_reported(home: Path) -> None:
    base = home.parent
    (base / "one").symlink_to("two")
    (base / "two").symlink_to("one")
    with pytest.raises(ReleaseError, match="leads through too many links"):
        directories.ensure(Wanted(base / "one", USER))


def test_in_a_directory_that_others_may_write_to_no_link_is_followed(home: Path) -> None:
    shared = home.parent / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with acting_as(USER):
        (shared / "blog").symlink_to(home.parent / "etc")
    with pytest.raises(UnsafeLinkError):
        directories.ensure(Wanted(shared / "blog", USER, exact=True))


def test_who_is_not_root_follows_own_links(home: Path) -> None:
    with acting_as(USER):
        (home / "real").mkdir()
        (home / "link").symlink_to("real")
        directories.remove(home / "link/../link")
        with directories.opened(home / "real"):
            assert directories.unsafe_link(home / "link") == ""
    assert names(home) == ["real"]


def remove_data(project: Project) -> None:
    """Remove a project with its directory, as the module does."""
    keys = remove_parts.deploy_keys(project)
    with remove_parts.locked(project):
        remove_parts.remove(remove_parts.data(project))
        remove_parts.remove_keys(project, keys)


def project_at(path: Path) -> Project:
    return Project("blog", path, path / "etc", path / "run", systemd=False, by="me", user=USER.pw_name)


def test_remove_follows_no_link_of_the_user_to_another_directory(home: Path) -> None:
    """Also to one that looks like a project's."""
    other = home.parent / "etc/blog"
    (other / "releases").mkdir(parents=True)
    with acting_as(USER):
        (home / "apps").symlink_to(home.parent / "etc")
    with pytest.raises(UnsafeLinkError):
        remove_data(project_at(home / "apps/blog"))
    assert (other / "releases").is_dir()


def test_remove_writes_no_lock_through_a_link(home: Path) -> None:
    """The lock names its holder: written as root, that would empty any file of the server."""
    blog, secret = home / "blog", home.parent / "secret"
    secret.write_text("root's")
    with acting_as(USER):
        (blog / "releases").mkdir(parents=True)
        (blog / ".deploy.lock").symlink_to(secret)
    with pytest.raises(PermissionError):
        remove_data(project_at(blog))
    assert secret.read_text() == "root's"
    (blog / ".deploy.lock").unlink()
    (blog / "releases/one").symlink_to(secret)
    remove_data(project_at(blog))
    assert (secret.read_text(), names(home)) == ("root's", [])


def test_remove_takes_no_key_through_a_link(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = home.parent / "keys"
    keys.mkdir()
    (keys / "deploy_blog").write_text("another one's")
    with acting_as(USER):
        (home / ".ssh").symlink_to(keys)
    monkeypatch.setattr(Project, "account", pwd.struct_passwd([*USER[:5], str(home), *USER[6:]]))
    with pytest.raises(PermissionError):
        remove_data(project_at(home / "nothing"))
    assert (keys / "deploy_blog").exists()


def test_root_runs_no_program_of_the_user_and_reads_no_file_for_it(home: Path) -> None:
    """What looks at a server runs its Python and uv, and reads the keys that may log in."""
    witness = home.parent / "witness"
    with acting_as(USER):
        for program in ("python", "blog/envs/.uv/bin/uv"):
            (home / program).parent.mkdir(parents=True, exist_ok=True)
            (home / program).write_text(f"#!/bin/sh\ntouch {witness}\n")
            (home / program).chmod(0o755)
        (home / ".ssh").mkdir()
        (home / ".ssh/authorized_keys").symlink_to(home.parent / "etc/secret")
    python = str(home / "python")
    loose = facts.loose_part(python, "root")
    assert (loose, facts.python_version(python, loose)) == (python, "")
    facts.find_uv(home / "blog/envs")
    assert facts.own_text(USER, home / ".ssh/authorized_keys") == ""
    assert not witness.exists()
    assert facts.loose_part(python, USER.pw_name) == "", "what the login of setup owns is its own"


@pytest.mark.parametrize(("admin", "version"), [("root", ""), (USER.pw_name, "3.99")])
def test_only_a_login_of_its_own_has_to_keep_from_the_users_python(home: Path, admin: str, version: str) -> None:
    """Without one, root's rights come from the user's own sudo."""
    answer = json.dumps({"path": "/p", "version": "3.99", "tag": "t", "platform": "p", "full_version": "3.99.1"})
    with acting_as(USER):
        (home / "python").write_text(f"#!/bin/sh\necho '{answer}'\n")
        (home / "python").chmod(0o755)
    python = str(home / "python")
    asked = facts.Asked(USER.pw_name, admin, home / "blog", pythons=(python,))
    question = git_access.Question("blog", "", home / "blog/source", [], [])
    found = facts.collect(asked, question, probe=False)
    assert (found["pythons"][python], found["loose_pythons"][python]) == (version, "" if version else python)


def test_a_link_of_the_user_to_a_program_of_root_counts_as_the_users(home: Path) -> None:
    with acting_as(USER):
        (home / "python").symlink_to("/usr/bin/env")
    assert facts.loose_part(str(home / "python"), "root") == str(home / "python")
    assert facts.loose_part("/usr/bin/env", "root") == ""


def test_the_module_reports_the_link(home: Path) -> None:
    """Run as Ansible does, in a process of its own."""
    with acting_as(USER):
        (home / "blog").symlink_to(home.parent / "etc")
    module = "ansible_collections.onetouch.deploy.plugins.modules.project_directories"
    given = {"name": "blog", "paths": [str(home / "blog")], "user": USER.pw_name, "exact": True}
    argv = [sys.executable, "-m", module, json.dumps({"ANSIBLE_MODULE_ARGS": given})]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "collections"}
    )
    found = json.loads(done.stdout)
    assert found["failed"]
    assert found["msg"] == (
        f"blog: {home}/blog leads through the link {home}/blog, which others than root can change. "
        f"Name the directory itself, or let root own {home}"
    )
