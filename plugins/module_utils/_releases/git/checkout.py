# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a checkout alone does not contain: submodules, Git LFS files, names that collide on this file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError
from .client import Git
from .refs import check_repo

POINTER = b"version https://git-lfs.github.com/spec/"
RELATIVE = ("./", "../")


@dataclass(frozen=True)
class Submodule:
    """A submodule: its path in the repository, its address, and its full sha."""

    path: str
    url: str
    sha: str


def add_submodules(git: Git, kept: Path, address: str) -> None:
    """Fill the submodules of a fresh release. The clones in `kept` make it work offline.

    Raises ReleaseError when a submodule is not declared, or its commit cannot be fetched.
    """
    for module in _submodules(git, address):
        inner = git.at(git.directory / module.path)
        keeper = git.at(kept / hashlib.sha256(module.url.encode()).hexdigest()[:12])
        _keep(keeper, module, git.object_format())
        inner.clone_from(keeper)
        inner.check_out(module.sha)
        add_submodules(inner, kept, module.url)


def reset_submodules(git: Git) -> None:
    """Reset the submodules of a checkout that was reset to its commits of them, as far as their clones have these.

    No server is asked for that. A submodule that was never filled stays as it is.
    """
    for path, sha in _links(git).items():
        inner = git.at(git.directory / path)
        if inner.directory.is_dir() and inner.is_repository() and inner.rev_parse(sha):
            inner.check_out(sha)
            reset_submodules(inner)


def verify(git: Git) -> None:
    """Verify that a checkout is complete.

    Raises ReleaseError when a submodule is missing or not declared, when two names are one file on this disk, or when
    only the pointers of Git LFS are there.
    """
    links = _links(git)
    urls = _urls(git) if links else {}
    for path, sha in links.items():
        inner = git.at(git.directory / path)
        if not inner.directory.is_dir() or not inner.is_repository() or inner.head() != sha:
            require_url(path, urls)
            raise ReleaseError(
                f"submodule {path} is not at {sha[:12]}",
                "with strategy in_place, post_deploy must run: git submodule update --init --recursive",
            )
        verify(inner)
    check_names(git)
    _check_lfs(git)


def check_names(git: Git) -> None:
    """Raise ReleaseError when two files of a checkout are one on this disk: the second has overwritten the first."""
    clashes = same_but_for_case(git.tracked()) if folds_case(git.directory) else []
    if clashes:
        raise ReleaseError(
            f"{' and '.join(clashes[0])} collide: this file system is case-insensitive",
            "rename one of them in the repository, or use a case-sensitive file system",
        )


def folds_case(checkout: Path) -> bool:
    """Return whether the disk of a checkout, which always has a .git, is case-insensitive."""
    return (checkout / ".GIT").exists()


def same_but_for_case(paths: Iterable[str]) -> list[list[str]]:
    """Group the paths that differ only by case, or by the way their accents are written."""
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
    """Read `git config --list -z` of .gitmodules: the address of each path, empty when it has none."""
    sections: dict[str, dict[str, str]] = {}
    for entry in text.split("\0"):
        key, _break, value = entry.partition("\n")
        section, _dot, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = value
    return {found["path"]: found.get("url", "") for found in sections.values() if "path" in found}


def require_url(path: str, urls: Mapping[str, str]) -> str:
    """Return the address of the submodule at `path`. Raises ReleaseError when .gitmodules does not have it."""
    if path not in urls:
        raise ReleaseError(
            f"{path} is a repository of its own, which .gitmodules does not name: the commit has none of its files",
            f"to commit the files, remove {path}/.git and run git rm --cached {path} and git add {path}; to keep it a"
            " repository, use git submodule add",
        )
    if not urls[path]:
        raise ReleaseError(f"submodule {path} has no url in .gitmodules", "add it there, and commit")
    return urls[path]


def parse_links(listed: list[str]) -> dict[str, str]:
    """Read the entries of `git ls-files --stage -z`: the full sha of each path that is a repository of its own."""
    about = [entry.split("\t", 1) for entry in listed]
    return {path: words.split(" ")[1] for words, path in about if words.startswith("160000 ")}


def _submodules(git: Git, address: str) -> Iterator[Submodule]:
    links = _links(git)
    urls = _urls(git) if links else {}
    for path, sha in links.items():
        url = absolute(require_url(path, urls), address)
        check_repo(url, f"the url of submodule {path},")
        yield Submodule(path, url, sha)


def _links(git: Git) -> dict[str, str]:
    return parse_links(git.tracked("--stage"))


def _urls(git: Git) -> dict[str, str]:
    return parse_modules(git.modules()) if (git.directory / ".gitmodules").is_file() else {}


def _keep(keeper: Git, module: Submodule, object_format: str) -> None:
    """Fetch the submodule's commit into a clone of this project's own, and keep it there."""
    keeper.directory.mkdir(parents=True, exist_ok=True)
    keeper.init(object_format)
    if keeper.rev_parse(module.sha) is None:
        keeper.fetch(module.url)
    if keeper.rev_parse(module.sha) is None:
        keeper.fetch_commit(module.sha, module.url)
    keeper.pin([module.sha])


def _check_lfs(git: Git) -> None:
    for path in git.tracked("--", ":(attr:filter=lfs)"):
        if _is_pointer(git.directory / path):
            raise ReleaseError(
                f"{path} is stored in Git LFS, but only the pointer file was checked out",
                "on the server, install git-lfs and run as the deploy user: git lfs install --skip-repo",
            )


def _is_pointer(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER
