# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release is made out of one that would be pruned: it costs what has changed, and is as a fresh one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system import process
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

# What an app or a hook may do to its own directory; each line to a file of its own.
DAMAGES = """
echo more >> appended.txt
touch -r twin.txt stamp && printf 'evil\\n' > twin.txt && touch -r stamp twin.txt && rm stamp
rm removed.txt
chmod +x mode.txt
rm link.txt && ln -s /etc/hostname link.txt
rm -r folder && echo a file > folder
rm file && mkdir file && echo in a folder > file/below
mkdir -p empty/within untracked/deep && echo x > untracked/deep/x && echo x > ignored.log
git init -q nested && echo x > nested/x
git add -f untracked && git rm -q --cached staged.txt
echo '*.txt eol=crlf' > .gitattributes
mkdir -p only/__pycache__ && echo x > only/__pycache__/x.pyc
"""
# A program of this worktree alone that git has to run to write VERSION.
FAILING_FILTER = """
git config extensions.worktreeConfig true && git config --worktree filter.x.clean cat &&
git config --worktree filter.x.smudge false && git config --worktree filter.x.required true &&
echo VERSION filter=x >> $(git rev-parse --git-common-dir)/info/attributes
"""
# The same, and it kills the process that called git.
KILLING_FILTER = FAILING_FILTER.replace("smudge false", "smudge 'kill -9 $(ps -o ppid= $PPID); cat'")
NAMES = ("appended", "twin", "removed", "mode", "link", "staged", "same")
FILES = {**{f"{name}_txt": "good" for name in NAMES}, "folder__kept_txt": "good", "file": "good", "_gitignore": "*.log"}


def files(release: Path) -> dict[str, tuple[str, str]]:
    """Everything below a release but byte code and what git keeps there: kind and permissions, and content."""
    found = {}
    for path in sorted(release.rglob("*")):
        if path.name not in {".git", "__pycache__"} and path.suffix != ".pyc":
            mode = oct(path.lstat().st_mode)
            content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
            found[str(path.relative_to(release))] = (mode, content)
    return found


def fresh(site: Site, sha: str, directory: Path) -> dict[str, tuple[str, str]]:
    """The same of a new checkout."""
    git(site.paths.source, "worktree", "add", "--quiet", "--detach", str(directory), sha)
    return files(directory)


def identities(release: Path) -> set[tuple[int, int]]:
    """Inodes are used again: only with its time is one and the same file known."""
    found = (path.stat() for path in release.rglob("*.txt"))
    return {(status.st_ino, status.st_mtime_ns) for status in found}


def fill(site: Site, upstream: Upstream, hook: str = "") -> Path:
    """Deploy twice with `keep=1`: the first release is what the third deploy would prune. Returns it."""
    first = upstream.commit("one", "master", None, **FILES)
    site.deploy(keep=1, shared_paths=[], post_deploy=hook)
    upstream.commit("two")
    site.deploy(keep=1, shared_paths=[])
    return site.paths.release(first)


def test_files_that_did_not_change_are_those_of_the_release_that_goes(site: Site, upstream: Upstream) -> None:
    old = fill(site, upstream)
    kept = identities(old)
    site.paths.release(upstream.commit("three"))
    site.deploy(keep=1, shared_paths=[])
    assert identities(site.paths.current) == kept
    assert not old.exists()
    assert (site.version, site.consistent()) == ("three", True)
    assert git(site.paths.current, "status", "--porcelain", "--ignored") == ""
    assert str(site.paths.current.resolve()) in git(site.paths.source, "worktree", "list")


def test_whatever_the_app_did_to_its_files_is_undone(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    old = fill(site, upstream, DAMAGES.strip().replace("\n", " && "))
    kept = identities(old)
    sha = upstream.commit("three", appended_txt="better")
    site.deploy(keep=1, shared_paths=[])
    assert files(site.paths.current) == fresh(site, sha, tmp_path / "fresh")
    assert kept & identities(site.paths.current)


def test_no_release_shares_a_source_with_another(site: Site, upstream: Upstream) -> None:
    """A hook that edits a file in place must not reach into another release."""
    fill(site, upstream)
    for version in ("three", "four"):
        upstream.commit(version)
        site.deploy(keep=2, shared_paths=[])
    every = [path for path in site.paths.releases.rglob("*.txt") if not path.is_symlink()]
    assert len(every) == 2 * 8
    assert {path.stat().st_nlink for path in every} == {1}


def test_byte_code_of_another_version_is_never_used(site: Site, upstream: Upstream) -> None:
    """Also when both versions have the same size and came within one second, which is all that byte code notes."""
    for version in ("1", "2", "3", "4"):
        upstream.commit(version, same_py="x = 7", changed_py=f"x = {version}")
        site.deploy(keep=1)
        values = "import same, changed; print(same.x, changed.x)"
        done = run_command([sys.executable, "-v", "-c", values], cwd=str(site.paths.current), env={"PYTHONPATH": "."})
        assert done.out.split() == ["7", version]
        assert "# wrote" not in done.err


def test_a_package_that_was_removed_leaves_nothing_to_import(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", gone__module_py="x = 1")
    site.deploy(keep=1)
    upstream.commit("two")
    site.deploy(keep=1)
    git(upstream.work, "rm", "-r", "-q", "gone")
    upstream.commit("three")
    site.deploy(keep=1)
    assert not (site.paths.current / "gone").exists()


def test_a_shared_path_with_tracked_files_keeps_what_is_shared(site: Site, upstream: Upstream) -> None:
    for version in ("one", "two", "three", "four"):
        upstream.commit(version, data__seed="grown", other=version)
        site.deploy(keep=1, shared_paths=["data"])
        (site.paths.shared / "data/photo").write_text(version)
    assert (site.paths.current / "data").resolve() == site.paths.shared / "data"
    assert (site.paths.current / "data/photo").read_text() == "four"
    assert (site.paths.current / "data/seed").read_text() == "grown\n"


@pytest.mark.parametrize(
    ("hook", "changed"),
    [
        ("git update-index --assume-unchanged twin.txt && echo evil > twin.txt", {}),
        ("git update-index --skip-worktree twin.txt && echo evil > twin.txt", {}),
        ("true", {"_gitattributes": "*.txt eol=crlf"}),
        ("true", {"_gitmodules": ""}),
        (FAILING_FILTER, {}),
        ("echo rubbish > $(git rev-parse --git-dir)/index", {}),
    ],
    ids=["assume-unchanged", "skip-worktree", "attributes", "submodules", "no checkout", "index broken"],
)
def test_where_git_could_be_wrong_a_fresh_checkout_is_made(
    site: Site, upstream: Upstream, tmp_path: Path, hook: str, changed: dict[str, str]
) -> None:
    old = fill(site, upstream, hook)
    before = identities(old)
    sha = upstream.commit("three", "master", None, **changed)
    site.deploy(keep=1, shared_paths=[])
    assert files(site.paths.current) == fresh(site, sha, tmp_path / "fresh")
    assert not before & identities(site.paths.current)


def test_a_release_that_a_process_works_in_is_left_alone(site: Site, upstream: Upstream) -> None:
    """A worker that drains would otherwise find modules of a newer version."""
    old = fill(site, upstream)
    before = identities(old)
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=old / "folder", stdin=subprocess.PIPE) as worker:
        assert process.in_use(old)
        upstream.commit("three")
        site.deploy(keep=1, shared_paths=[])
        worker.communicate(b"\n")
    assert not before & identities(site.paths.current)


def test_only_a_release_that_would_be_pruned_is_taken(site: Site, upstream: Upstream) -> None:
    shas = [upstream.commit("one"), upstream.commit("two"), upstream.commit("three")]
    for sha in shas:
        site.deploy(ref=sha, keep=3)
    assert {path.name for path in site.paths.releases.glob("[0-9a-f]*")} == {sha[:12] for sha in shas}
    shas.append(upstream.commit("four"))
    site.run(state="prepared", ref="master", keep=3)
    assert {path.name for path in site.paths.releases.glob("[0-9a-f]*")} == {sha[:12] for sha in shas[1:]}
    site.revert(steps=2, keep=3)
    assert site.version == "one"


def test_a_kill_while_one_release_becomes_another(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    fill(site, upstream, KILLING_FILTER)
    two = site.live
    sha = upstream.commit("three")
    assert site.exit_code(ref="master", keep=1, shared_paths=[]) == -signal.SIGKILL
    assert (site.version, site.live) == ("two", two)
    site.deploy(keep=1, shared_paths=[])
    assert files(site.paths.current) == fresh(site, sha, tmp_path / "fresh")
    assert site.consistent()
    assert not (site.paths.releases / ".new").exists()
