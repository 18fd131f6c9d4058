# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""A release made complete: its files, its links into `shared/`, its Python environment, its byte code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..environment import build as environment
from ..environment.interpreter import ask_interpreter, check_version
from ..environment.spec import plan_environment, required_python
from ..environment.toml import toml_reader
from ..environment.unread import Unread, find_unread
from ..errors import ReleaseError
from ..git import checkout
from ..model import Target
from ..project import Project
from ..system import files
from . import bytecode, current, prune, reuse, shared


def prepare(project: Project, target: Target) -> bool:
    """Make the release complete on disk. Nothing live changes. Return whether there was something to do.

    In place there is no release to build: the files come with the switch.
    """
    project.git.pin([target.commit])
    if project.in_place:
        return False
    prune.empty_discarded(project)
    fresh = not _is_complete(project, target)
    if fresh:
        _make_release(project, target)
    else:
        shared.link_shared(project.paths, target.release, target.release, project.options.shared_paths)
    return provide_environment(project, target.release) or fresh


def provide_environment(project: Project, release: Path) -> bool:
    """Find or build the Python environment a release asks for, and compile. Return whether anything changed."""
    read_toml = toml_reader(project.options.python, project.run)
    spec = plan_environment(release, read_toml)
    _report_unread(project, find_unread(release, spec, read_toml))
    if spec is None:
        _report_python(project, required_python(release, read_toml))
        return False
    with project.report.phase("environment") as phase:
        options = project.options
        interpreter = ask_interpreter(options.python, project.run)
        envs = environment.Environments(project.paths.envs, interpreter, project.run, options.uv, options.index)
        with _explain_rebuild(options.state):
            found = envs.ensure(spec, release)
        phase["note"] = "built" if found.built else "reused"
        project.report.environment = str(found.path)
        linked = environment.link(release, found.path)
    if linked:
        _compile(project, release, str(found.path / "bin" / "python"))
    return linked or found.built


def _report_unread(project: Project, unread: Unread | None) -> None:
    """Fail where requirements that are not installed are certainly missing, warn where a hook may install them."""
    if unread is None:
        return
    options = project.options
    missing = ReleaseError(unread.what, unread.remedy)
    if unread.certain and options.status_file and not (options.pre_deploy or options.post_deploy):
        raise missing
    project.report.warnings.append(str(missing))


def _report_python(project: Project, required: str) -> None:
    """Warn where the interpreter is not allowed: without an environment it is not certain that this one is used."""
    if not required:
        return
    try:
        check_version(ask_interpreter(project.options.python, project.run), required)
    except ReleaseError as failure:
        without = (
            "pyproject.toml lists no dependencies, so that no environment is built, and an app runs in procmon's own"
        )
        project.report.warnings.append(f"{project.options.name}: {failure.msg}. {without}")


@contextmanager
def _explain_rebuild(state: str) -> Iterator[None]:
    """Explain why a revert builds an environment, when that fails."""
    try:
        yield
    except ReleaseError as failure:
        if state != "reverted":
            raise
        why = "this commit's own was removed when no kept release needed it, or was built from another index"
        raise ReleaseError(failure.msg, f"{why}. To build it again, {failure.hint}", failure.detail) from failure


def _is_complete(project: Project, target: Target) -> bool:
    # The live one cannot be rebuilt: workers run in it.
    live = current.read(project.paths, project.git)
    is_live = target.release.is_dir() and live.release == target.release.resolve()
    return is_live or project.git.at(target.release).head() == target.commit


def _make_release(project: Project, target: Target) -> None:
    paths, final = project.paths, target.release
    making = paths.unfinished / final.name
    with project.report.phase("checkout"):
        if prune.move_aside(paths, final):
            # What had its name was not the release, or this one would not be built.
            project.git.prune_worktrees()
        paths.unfinished.mkdir(parents=True)
        if not reuse.reuse(project, target, making):
            project.git.add_worktree(making, target.commit)
            bytecode.inherit(project.git, current.read(project.paths, project.git), making, target.commit)
            checkout.add_submodules(project.git.at(making), paths.submodules, project.git.url() or "")
        checkout.verify(project.git.at(making))
        shared.link_shared(paths, making, final, project.options.shared_paths)
    if plan_environment(making, toml_reader(project.options.python, project.run)) is None:
        _compile(project, making, project.options.python)
    # On disk before the rename, so that what looks complete is complete after a power loss; then git learns the path.
    files.sync_file_systems(project.run, making)
    making.rename(final)
    project.git.repair_worktrees([final])
    paths.unfinished.rmdir()


def _compile(project: Project, release: Path, python: str) -> None:
    if bytecode.has_modules(release):
        with project.report.phase("compile"):
            bytecode.compile_missing(release, python, project.run)
