# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a checkout alone does not bring: submodules, LFS files, names that collide on this file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError
from .client import Git
from .refs import check_repo

POINTER = b"version https://git-lfs.github.com/spec/"
RELATIVE = ("./", "../")


@dataclass(frozen=True)
class Submodule:
    """A repository within a repository: its path there, its address, and its full sha."""

    path: str
    url: str
    sha: str


def add_submodules(git: Git, kept: Path, address: str) -> None:
    """Put into a fresh release what its checkout leaves out: submodules. Clones in `kept` make it work offline.

    Raises ReleaseError when one cannot be had.
    """
    for module in _submodules(git, address):
        inner = git.at(git.directory / module.path)
        keeper = git.at(kept / hashlib.sha256(module.url.encode()).hexdigest()[:12])
        _keep(keeper, module)
        inner.clone(str(keeper.directory))
        inner.check_out(module.sha)
        add_submodules(inner, kept, module.url)


def reset_submodules(git: Git) -> None:
    """Bring the submodules of a checkout that was reset to where it has them, as far as their clones know the commit.

    No server is asked for that. One that nobody has filled stays as it is.
    """
    for path, sha in _links(git).items():
        inner = git.at(git.directory / path)
        if inner.directory.is_dir() and inner.is_repository() and inner.rev_parse(sha):
            inner.check_out(sha)
            reset_submodules(inner)


def verify(git: Git) -> None:
    """Look whether a checkout holds what it stands for.

    Raises ReleaseError when a submodule is missing, when two names are one file on this disk, or when only the pointers
    of git-lfs are there.
    """
    for path, sha in _links(git).items():
        inner = git.at(git.directory / path)
        if inner.head() != sha:
            raise ReleaseError(
                f"the submodule {path} is not at {sha[:12]}",
                "in place post_deploy has to see to that: git submodule update --init --recursive",
            )
        verify(inner)
    check_names(git)
    _check_lfs(git)


def check_names(git: Git) -> None:
    """Raise ReleaseError when the disk takes two files of a checkout for one: the second has overwritten the first."""
    clashes = same_but_for_case(git.tracked()) if folds_case(git.directory) else []
    if clashes:
        raise ReleaseError(
            f"{' and '.join(clashes[0])} are one file on this disk, which does not tell upper from lower case",
            "rename one of them in the repository, or use a disk that does",
        )


def folds_case(checkout: Path) -> bool:
    """Say whether the disk of a checkout, which always has a .git, takes upper and lower case for the same."""
    return (checkout / ".GIT").exists()


def same_but_for_case(paths: Iterable[str]) -> list[list[str]]:
    """Group the paths that differ by case, or by the way their accents are written, and by nothing else."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(unicodedata.normalize("NFC", path).casefold(), []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def absolute(url: str, parent: str) -> str:
    """Return the address of a submodule: one that begins with ./ or ../ is relative to its parent's."""
    if not url.startswith(RELATIVE):
        return url
    base, separator = parent.rstrip("/"), "/"
    while url.startswith(RELATIVE):
        step, url = url.split("/", 1)
        if step == ".." and (above := re.fullmatch(r"(.*)([/:])[^/:]*", base)):
            base, separator = above[1], above[2]
    return f"{base}{separator}{url}"


def parse_modules(text: str) -> dict[str, str]:
    """Read `git config --list -z` of .gitmodules: the address of each path."""
    sections: dict[str, dict[str, str]] = {}
    for entry in text.split("\0"):
        key, _break, value = entry.partition("\n")
        section, _dot, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = value
    return {found["path"]: found["url"] for found in sections.values() if {"path", "url"} <= found.keys()}


def parse_links(listed: list[str]) -> dict[str, str]:
    """Read `git ls-files --stage`: the full sha of each path that is a repository of its own."""
    about = [entry.split("\t", 1) for entry in listed]
    return {path: words.split(" ")[1] for words, path in about if words.startswith("160000 ")}


def _submodules(git: Git, address: str) -> Iterator[Submodule]:
    links = _links(git)
    urls = parse_modules(git.modules()) if links else {}
    for path, sha in links.items():
        if path not in urls:
            raise ReleaseError(f"{path} is a submodule that .gitmodules does not tell of", "add it there, and commit")
        url = absolute(urls[path], address)
        check_repo(url)
        yield Submodule(path, url, sha)


def _links(git: Git) -> dict[str, str]:
    return parse_links(git.tracked("--stage")) if (git.directory / ".gitmodules").is_file() else {}


def _keep(keeper: Git, module: Submodule) -> None:
    """Have the submodule's commit in a clone of our own, and keep it there."""
    keeper.directory.mkdir(parents=True, exist_ok=True)
    keeper.init_with_alternates(None)
    if keeper.rev_parse(module.sha) is None:
        keeper.fetch(module.url)
    if keeper.rev_parse(module.sha) is None:
        keeper.fetch_commit(module.sha, module.url)
    keeper.pin([module.sha])


def _check_lfs(git: Git) -> None:
    for path in git.tracked("--", ":(attr:filter=lfs)"):
        if _is_pointer(git.directory / path):
            raise ReleaseError(
                f"{path} is kept in git-lfs, and a checkout here gives its pointer only",
                "on the server, install git-lfs and run as the deploy user: git lfs install --skip-repo",
            )


def _is_pointer(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER
