# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Byte code of a release's modules: compiled before users wait for it, inherited where a module is unchanged."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..errors import ReleaseError
from ..git.client import Git
from ..model import Current
from ..system.run import Run

CACHE = "__pycache__"
# For the project's interpreter. Existing byte code is valid (see `inherit` and `forget`), so it is not read.
COMPILE = """
import compileall, os, sys
suffix = "." + sys.implementation.cache_tag + ".pyc"
for parent, children, files in os.walk(sys.argv[1]):
    cache = os.path.join(parent, "__pycache__")
    compiled = set(os.listdir(cache)) if "__pycache__" in children else ()
    for name in files:
        if name.endswith(".py") and name[:-3] + suffix not in compiled:
            compileall.compile_file(os.path.join(parent, name), quiet=2)
"""


def compile_missing(release: Path, python: str, run: Run) -> None:
    """Compile modules without byte code; one that cannot be compiled may be a template, or for another Python.

    Without byte code the first worker would compile everything while users wait.
    """
    run([python, "-c", COMPILE, str(release)])


def forget(release: Path, paths: Iterable[str]) -> None:
    """Remove the byte code of modules that were changed or removed."""
    for path in map(PurePosixPath, paths):
        if path.suffix == ".py":
            cache = release / path.parent / CACHE
            for compiled in cache.glob(f"{glob.escape(path.stem)}.*.pyc"):
                compiled.unlink()


def has_modules(release: Path) -> bool:
    """Return whether there is anything to compile."""
    return next(release.rglob("*.py"), None) is not None


def inherit(git: Git, before: Current, release: Path, commit: str) -> None:
    """Share the byte code of modules that are the same in the live release with a new one.

    Byte code is valid for a source of one size and time, so the source gets the time of the live one. Differences are
    taken from the live files themselves: a hook may have edited them since they were checked out.
    """
    if before.release is None or not before.release.is_dir():
        return
    try:
        different = git.at(before.release).changed_paths(commit)
    except ReleaseError:
        # git cannot read the live release. Then everything is compiled.
        return
    for parent, _children, files in os.walk(before.release):
        if Path(parent).name == CACHE:
            home = Path(parent).parent.relative_to(before.release)
            same = [name for name in files if str(home / source_of(name)) not in different]
            _inherit(before.release / home, release / home, same)


def source_of(compiled: str) -> str:
    """Return the name of the module that a file of byte code was made from."""
    return compiled.split(".", 1)[0] + ".py"


def _inherit(live: Path, home: Path, compiled: list[str]) -> None:
    """Share the byte code of `live` with the directory `home`, and the times of its modules."""
    for name in compiled:
        module = home / source_of(name)
        if module.is_file() and (live / module.name).is_file():
            times = (live / module.name).stat()
            os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
            (home / CACHE).mkdir(exist_ok=True)
            _share(live / CACHE / name, home / CACHE / name)


def _share(old: Path, new: Path) -> None:
    """Link a file of byte code to a second name: Python replaces such files and never writes into them."""
    try:
        os.link(old, new)
    except OSError:
        # Another user's file, or a file system without hard links.
        shutil.copyfile(old, new)
