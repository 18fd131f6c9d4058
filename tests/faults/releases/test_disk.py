# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that are full, read-only, damaged or another user's: a clear error, and what is live stays.

Small file systems are mounted for it, so these tests want root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uv as uv_package
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import question, states
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.files import remove_tree

from tests.support import mounts
from tests.support.releases.invariants import assert_agreement, left_over, torn
from tests.support.releases.other_user import OTHER_USER, as_other_user, open_directory
from tests.support.releases.packages import make_wheel
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

UV = uv_package.find_uv_bin()
BLOCK = 4096
# How many blocks or inodes are left, a little more each time.
ROOM = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 100)


@pytest.fixture
def small(upstream: Upstream, tmp_path: Path) -> Iterator[Site]:
    """A project on a file system of 4 MiB and 700 inodes."""
    with mounts.mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4m,nr_inodes=700", "tmpfs") as disk:
        yield Site(disk / "blog", upstream)


def fill_blocks(disk: Path, left: int) -> None:
    """Leave so many blocks free."""
    (disk / "filler").mkdir()
    (disk / "filler/big").write_bytes(bytes(BLOCK * max(os.statvfs(disk).f_bavail - left, 0)))


def fill_inodes(disk: Path, left: int) -> None:
    """Leave so many inodes free."""
    (disk / "filler").mkdir()
    for number in range(os.statvfs(disk).f_favail - left):
        (disk / f"filler/{number}").touch()


@pytest.mark.parametrize("fill", [fill_blocks, fill_inodes])
def test_a_full_disk_at_any_moment_leaves_one_release_whole(
    small: Site, upstream: Upstream, fill: Callable[[Path, int], None]
) -> None:
    """With more room each time a deploy comes further; at last it succeeds."""
    upstream.commit("v0", app_py="x = 0")
    small.deploy(keep=2)
    message = [text for left in ROOM if (text := deploy_with(small, fill, left))]
    assert 3 < len(message) < len(ROOM)
    assert [text for text in message if "Free some" not in text] == []


def deploy_with(small: Site, fill: Callable[[Path, int], None], left: int) -> str:
    """Deploy the next version with so much room, then with enough; return the first one's error."""
    disk, before, message = small.path.parent, small.version, ""
    small.upstream.commit(f"v{left + 1}", app_py=f"x = {left}", data="x" * 2000)
    fill(disk, left)
    try:
        small.deploy(keep=2)
    except ReleaseError as failure:
        message = str(failure)
    assert (small.version, torn(small.paths.current.resolve())) == (before if message else f"v{left + 1}", [])
    shutil.rmtree(disk / "filler")
    small.deploy(keep=2)
    assert small.version == f"v{left + 1}"
    assert_agreement(small)
    return message


# Little room, a little more each time: how far does it come before the disk is full?
STEPS = (0, 1, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128)
IN_PLACE: dict[str, object] = {"strategy": "in_place"}


@pytest.mark.parametrize("fill", [fill_blocks, fill_inodes])
@pytest.mark.parametrize(
    ("versions", "options", "phases"),
    [
        (0, {}, {"checkout"}),
        (0, {"state": "prepared"}, {"checkout"}),
        (2, {"state": "reverted", "steps": 2, "keep": 1}, {"checkout", "compile"}),
        (1, IN_PLACE, {"fetch"}),
    ],
    ids=["first deploy", "first prepare", "revert", "in place"],
)
def test_a_disk_that_is_full_whatever_is_done(
    small: Site, fill: Callable[[Path, int], None], versions: int, options: dict[str, object], phases: set[str]
) -> None:
    """With more room each time a run comes further; afterwards there is room, and the next one succeeds."""
    strategy = options.get("strategy", "releases")
    for version in range(versions + 1):
        small.upstream.commit(f"v{version}", app_py=f"x = {version}", data=os.urandom(20_000).hex())
        if version < versions or options.get("state") == "reverted":
            small.deploy(keep=1, strategy=strategy)
    failed_in = {phase for left in STEPS if (phase := failing_phase(small, fill, left, {"ref": "master", **options}))}
    assert failed_in & phases, failed_in
    small.run(**{"ref": "master", **options})
    small.deploy(strategy=strategy)
    assert_agreement(small)


def failing_phase(small: Site, fill: Callable[[Path, int], None], left: int, options: dict[str, object]) -> str:
    """Run with so much room, on a copy of the project; return the last phase that was begun, "" after a success."""
    disk, kept = small.path.parent, small.upstream.url.parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    if small.path.exists():
        shutil.copytree(small.path, kept, symlinks=True)
    was = small.version if small.paths.current.exists() else ""
    fill(disk, left)
    phase = fail_for_want_of_room(small, options, was)
    shutil.rmtree(disk / "filler")
    remove_tree(small.path)
    if kept.exists():
        shutil.copytree(kept, small.path, symlinks=True)
    return phase


def fail_for_want_of_room(small: Site, options: dict[str, object], was: str) -> str:
    project = small.project(**options)
    message = ""
    try:
        states.execute(project, check=False)
    except ReleaseError as failure:
        message = str(failure)
    if not message:
        return ""
    assert "Free some" in message
    assert (small.version if small.paths.current.exists() else "") == was
    assert was == "" or torn(small.paths.current.resolve()) == []
    return project.report.phases[-1]["name"] if project.report.phases else "none"


@pytest.mark.parametrize("fill", ["blocks", "inodes"])
@pytest.mark.parametrize("lives", [0, 1])
def test_a_hook_that_fills_the_disk_and_fails_is_put_back(
    small: Site, upstream: Upstream, fill: str, lives: int
) -> None:
    for version in range(lives + 1):
        upstream.commit(f"v{version}")
        if version < lives:
            small.deploy()
    hook = {
        "blocks": "cat /dev/zero > ../../../filler",
        "inodes": "i=0; while : > ../../../filler.$i; do i=$((i+1)); done",
    }
    answered = small.module(ref="master", test=f"{hook[fill]}; false")
    assert answered["outcome"] == "put_back", answered["msg"]
    assert small.paths.current.exists() == bool(lives)
    assert lives == 0 or small.version == "v0"
    for filler in small.path.parent.glob("filler*"):
        filler.unlink()
    small.deploy()
    assert small.version == f"v{lives}"
    assert left_over(small) == []


def test_an_environment_that_does_not_fit(small: Site, upstream: Upstream, tmp_path: Path) -> None:
    make_wheel(tmp_path, "tiny", "1.0")
    make_wheel(tmp_path, "tiny", "2.0", ballast=8 << 20)
    upstream.commit("one", requirements_txt="tiny==1.0")
    small.deploy(index=str(tmp_path), uv=UV)
    environment = (small.paths.current / ".venv").resolve()
    upstream.commit("two", requirements_txt="tiny==2.0")
    failure = small.fail(ref="master", index=str(tmp_path), uv=UV)
    assert "Free some disk space" in failure.text
    assert (small.version, (small.paths.current / ".venv").resolve()) == ("one", environment)
    assert list(environment.glob("lib/*/site-packages/tiny.py"))
    upstream.commit("three", requirements_txt="tiny==1.0")
    small.deploy(index=str(tmp_path), uv=UV)
    assert_agreement(small)


def test_a_read_only_disk(small: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    small.deploy()
    upstream.commit("two")
    mounts.when_free(mounts.MOUNT, "-o", "remount,ro", str(small.path.parent))
    answered = small.module(ref="master")
    assert answered["failed"]
    assert "Read-only file system. Mount it writable" in answered["msg"]
    assert small.info()["subject"] == "one"
    assert small.version == "one"


def test_a_damaged_object(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    git(site.paths.source, "fetch", "--quiet")
    blob = git(site.paths.source, "rev-parse", "origin/master:VERSION")
    loose = site.paths.source / ".git/objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"not an object")
    answered = site.module(ref="master")
    assert answered["failed"]
    assert "is damaged. Look at the result of git fsck there" in answered["msg"]
    assert (site.version, torn(site.paths.current.resolve())) == ("one", [])


@pytest.mark.parametrize("damage", ["cut", "overwritten", "removed"])
def test_a_damaged_pack(site: Site, upstream: Upstream, damage: str) -> None:
    upstream.commit("one", data="x" * 5000)
    site.deploy()
    upstream.commit("two", more="y" * 5000)
    git(site.paths.source, "fetch", "--quiet")
    git(site.paths.source, "gc", "--quiet")
    (pack,) = (site.paths.source / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    whole = pack.read_bytes()
    if damage == "removed":
        pack.unlink()
    else:
        pack.write_bytes(whole[:100] if damage == "cut" else whole[:20] + bytes(len(whole) - 40) + whole[-20:])
    answered = site.module(ref="master")
    if damage != "overwritten":
        # git sees that it has nothing, and the fetch brings all of it again.
        assert answered.get("changed"), answered
    else:
        assert "is damaged. Look at the result of git fsck there, or move it away" in answered["msg"]
        assert site.version == "one"
        site.paths.source.rename(site.paths.path / "damaged")
        assert site.module(ref="master")["changed"]
    assert (site.version, torn(site.paths.current.resolve())) == ("two", [])
    assert_agreement(site)


@pytest.mark.parametrize("lost", ["refs/heads", "refs/remotes", "refs/deploys", "packed-refs", "HEAD"])
def test_a_missing_ref(site: Site, upstream: Upstream, lost: str) -> None:
    """What git can fetch again it fetches, and a clone that is broken is named."""
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    place = site.paths.source / ".git" / lost
    if place.is_dir():
        shutil.rmtree(place)
        place.mkdir()
    else:
        place.unlink()
    answered = site.module(ref="master")
    if lost == "HEAD":
        assert f"{site.paths.source} is not a git clone. Move it away" in answered["msg"]
        assert site.version == "one"
    else:
        assert site.version == "two", answered["msg"]
        assert_agreement(site)


def test_a_damaged_clone_that_was_moved_away_is_made_again(site: Site, upstream: Upstream) -> None:
    """Which release is live, and which one before it, is not forgotten."""
    upstream.commit("one")
    site.deploy()
    upstream.commit("two", pkg__app_py="x = 2")
    site.deploy()
    before = site.snapshot()
    site.paths.source.rename(site.path.with_name("damaged"))
    assert not site.deploy().changed
    assert changes(before, site) <= {"releases", site.paths.current.resolve().name, ".git"}
    assert str(site.paths.current.resolve()) in git(site.paths.source, "worktree", "list")
    assert git(site.paths.current, "status", "--porcelain", "--untracked-files=no") == ""
    (site.paths.releases / ".new").mkdir()
    site.revert()
    assert site.version == "one"
    assert site.consistent()
    assert torn(site.paths.current.resolve()) == []
    assert not site.deploy(ref=site.live).changed


def changes(before: dict[str, tuple[int, int, str]], site: Site) -> set[str]:
    """Name what is not as it was, outside of the clone."""
    after = site.snapshot()
    found = (Path(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {path.name for path in found if site.paths.source not in (path, *path.parents)}


def test_a_revert_after_the_clone_was_made_again_by_hand(site: Site, upstream: Upstream) -> None:
    for version in ("one", "two"):
        upstream.commit(version)
        site.deploy()
    shutil.rmtree(site.paths.source)
    git(site.path, "clone", "--quiet", str(upstream.url), "source")
    site.revert()
    assert (site.version, site.consistent()) == ("one", True)


@pytest.mark.parametrize("spoil", ["no .git", "another's .git", "a file", "an empty directory"])
def test_what_is_no_release_does_not_block_its_commit(site: Site, upstream: Upstream, spoil: str) -> None:
    sha = upstream.commit("one")
    site.run(state="prepared", ref=sha)
    upstream.commit("two")
    site.deploy()
    release = site.paths.release(sha)
    if spoil == "no .git":
        (release / ".git").unlink()
    elif spoil == "another's .git":
        (release / ".git").write_text((site.paths.current / ".git").read_text())
    else:
        shutil.rmtree(release)
        release.touch() if spoil == "a file" else release.mkdir()
    site.deploy(ref=sha)
    assert (site.version, site.consistent()) == ("one", True)
    site.revert()
    site.deploy(ref=sha)
    assert (site.version, torn(site.paths.current.resolve())) == ("one", [])
    assert list(site.paths.releases.glob(".old/*")) == []


def test_a_clone_of_another_user(site: Site, upstream: Upstream) -> None:
    assert os.geteuid() == 0, "this test gives files away: run it as root"
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    for path in (site.paths.source, site.paths.source / ".git"):
        os.chown(path, OTHER_USER, OTHER_USER)
    answered = site.module(ref="master")
    assert answered["failed"]
    assert "because another user owns it. Let the deploy user own the project's directory" in answered["msg"]
    assert site.version == "one"


def test_a_remote_on_this_machine_of_another_user(site: Site, upstream: Upstream) -> None:
    """It is not the project that has to change its owner."""
    assert os.geteuid() == 0, "this test gives files away: run it as root"
    upstream.commit("one")
    site.deploy()
    os.chown(upstream.url, OTHER_USER, OTHER_USER)
    for options in ({"ref": "master"}, {"ref": "master", "path": f"{site.path}2"}):
        message = site.module(**options)["msg"]
        assert f"git refuses {upstream.url}, because another user owns it. Let the deploy user trust it" in message
        assert f"git config --global --add safe.directory {upstream.url}\n" in message


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that every user may enter, unlike pytest's own."""
    with open_directory() as directory:
        yield directory


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_user_who_owns_nothing_here(open_to_all: Path) -> None:
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    upstream = Upstream.make(open_to_all)
    site = Site(open_to_all / "blog", upstream)
    upstream.commit("one")
    site.deploy()
    before = site.snapshot()
    message = as_other_user(lambda: site.fail(ref="master", by="eve").text)
    assert "Permission denied. Let the deploy user own the project's directory" in message
    assert site.snapshot() == before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_directory_that_only_setup_can_make(open_to_all: Path) -> None:
    """As where another project's setup has created the user. Check mode does not promise what a deploy could not do."""
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    upstream = Upstream.make(open_to_all)
    upstream.commit("one")
    site = Site(open_to_all / "blog", upstream)
    not_set_up = f"the project is not set up on this server: {site.path}"
    why = f"does not exist, and this user may not create it in {open_to_all}. Run setup"
    assert f"{not_set_up} {why}" in as_other_user(lambda: site.fail(ref="master").text)
    assert f"{not_set_up} {why}" in as_other_user(lambda: site.fail(state="reverted").text)
    assert f"{not_set_up} {why}" in as_other_user(lambda: site.check(ref="master").msg)
    site.path.mkdir()
    message = as_other_user(lambda: site.fail(ref="master", by="eve").text)
    assert f"{not_set_up} has no clone, and this user may not write there. Run setup" in message
    assert list(site.path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_user_who_may_not_even_look(open_to_all: Path) -> None:
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    (open_to_all / "blog").mkdir(mode=0o700)
    given: dict[str, object] = {"path": str(open_to_all / "blog"), "ref": None, "status_file": None, "fetch": False}
    given |= {"name": "blog", "config": None, "writable_paths": None}
    message = as_other_user(lambda: refused(given))
    assert f"{open_to_all}/blog/source: Permission denied. Let the deploy user own" in message


def refused(given: dict[str, object]) -> str:
    """What `releases_info` says when it cannot tell."""
    with pytest.raises(ReleaseError) as caught:
        question.ask(given)
    return str(caught.value)
