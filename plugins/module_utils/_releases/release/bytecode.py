# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..git.client import Git
from ..model import Live, ReleaseError
from ..system.run import Run

CACHE = "__pycache__"
# For the project's interpreter. What exists is valid, `inherit` and `forget` see to that: nothing is read twice.
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
    """Compile what has no byte code yet; a file that cannot be compiled may be a template, or for another Python.

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
    """Say whether there is anything to compile."""
    return next(release.rglob("*.py"), None) is not None


def inherit(git: Git, before: Live, release: Path, commit: str) -> None:
    """Give a new release the byte code of the modules that are the same in the live one.

    Byte code is valid for a source of one size and time, so the source gets the time of its twin. What differs is
    asked of the live files themselves: a hook may have edited them since they were checked out.
    """
    if before.release is None or not before.release.is_dir():
        return
    try:
        different = git.at(before.release).different_from(commit)
    except ReleaseError:
        # Something has spoilt git's view of the live release. Then everything is compiled.
        return
    for parent, _children, files in os.walk(before.release):
        if Path(parent).name == CACHE:
            home = Path(parent).parent.relative_to(before.release)
            same = [name for name in files if str(home / source_of(name)) not in different]
            _inherit(before.release / home, release / home, same)


def source_of(compiled: str) -> str:
    """Return the name of the module that a file of byte code was made from."""
    return compiled.split(".", 1)[0] + ".py"


def _inherit(twin: Path, home: Path, compiled: list[str]) -> None:
    """Share byte code with the directory `home`, and the times of the modules from their twins."""
    for name in compiled:
        module = home / source_of(name)
        if module.is_file() and (twin / module.name).is_file():
            times = (twin / module.name).stat()
            os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
            (home / CACHE).mkdir(exist_ok=True)
            _share(twin / CACHE / name, home / CACHE / name)


def _share(old: Path, new: Path) -> None:
    """Give a file of byte code a second name: Python replaces such files and never writes into them."""
    try:
        os.link(old, new)
    except OSError:
        # Another user's file, or a file system without hard links.
        shutil.copyfile(old, new)
