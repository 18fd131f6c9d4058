# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ..environment import build as environment
from ..git import checkout as contents
from ..model import ReleaseError, Target
from ..project import Project
from ..records import history as log
from ..system import files as durable
from . import bytecode, disk, plan
from . import relink as adopt
from . import reuse as recycle


def lay_out(project: Project) -> bool:
    """Make the project's directories and its clone. Returns whether anything was missing."""
    wanted, tree, git = project.wanted, project.tree, project.git
    steps = plan.lay_out(disk.read_layout(wanted, git), wanted)
    for step in steps:
        # Of a long history it may take most of the time that a first deploy does.
        with project.report.phase("clone") if isinstance(step, plan.Clone) else nullcontext():
            disk.apply(step, tree, git)
    adopt.adopt_live(project)
    _pin_log(project)
    return bool(steps)


def prepare(project: Project, target: Target) -> bool:
    """Make the release whole on disk. Nothing live changes. Returns whether there was something to do.

    In place there is no release to make: the files come with the switch.
    """
    project.git.pin([target.commit])
    if project.in_place:
        return False
    disk.remove_leftovers(project.tree.discarded)
    fresh = not _is_whole(project, target)
    if fresh:
        _make_release(project, target)
    else:
        disk.link_shared(project.tree, target.release, target.release, project.wanted.shared_paths)
    return provide_environment(project, target.release) or fresh


def provide_environment(project: Project, release: Path) -> bool:
    """Find or build the Python environment a release asks for, and compile. Returns whether anything changed."""
    spec = environment.plan_environment(release)
    if spec is None:
        return False
    with project.report.phase("environment"):
        wanted = project.wanted
        interpreter = environment.ask_interpreter(wanted.python, project.run)
        envs = environment.Environments(project.tree.envs, interpreter, project.run, wanted.uv, wanted.index)
        with _told_of_reverts(wanted.state):
            found = envs.ensure(spec, release)
        project.report.environment = str(found.path)
        linked = environment.link(release, found.path)
    if linked:
        _compile(project, release, str(found.path / "bin" / "python"))
    return linked or found.built


def prune(project: Project, untouchable: set[str]) -> None:
    """Remove the releases and environments that nothing needs any more, and no process works in."""
    tree = project.tree
    lines = log.read_deploys(tree.deploys)
    old = plan.to_prune(disk.release_ages(tree), lines, project.wanted.keep, untouchable)
    disk.discard(tree, [name for name in old if not recycle.in_use((tree.releases / name).resolve())])
    project.git.prune_worktrees()
    for name in environment.stale(disk.names(tree.envs), disk.environment_links(tree)):
        environment.remove(tree.envs / name)
    project.git.maintain()


@contextmanager
def _told_of_reverts(state: str) -> Iterator[None]:
    """Say why a revert would build anything, when it cannot."""
    try:
        yield
    except ReleaseError as failure:
        if state != "reverted":
            raise
        why = "this commit's own was removed when none of the releases that are kept needed it, or had another index"
        raise ReleaseError(failure.msg, f"{why}. To build it again, {failure.hint}", failure.detail) from failure


def _is_whole(project: Project, target: Target) -> bool:
    # The live one cannot be made again: somebody works in it.
    is_live = target.release.is_dir() and project.live().release == target.release.resolve()
    return is_live or project.git.at(target.release).head() == target.commit


def _pin_log(project: Project) -> None:
    # Another tool may have deployed them, and the next fetch may drop the branch that holds them.
    git = project.git
    pinned = git.pins()
    lines = {line for line in log.read_deploys(project.tree.deploys) if not _is_pinned(line, pinned)}
    git.pin(full for full in map(git.full, sorted(lines)) if full)


def _is_pinned(line: str, pinned: set[str]) -> bool:
    return any(log.same(pin, line) for pin in pinned)


def _make_release(project: Project, target: Target) -> None:
    tree, final = project.tree, target.release
    making = tree.unfinished / final.name
    with project.report.phase("checkout"):
        if disk.set_aside(tree, final):
            # What bore the name is not the release, or this one would not be made.
            project.git.prune_worktrees()
        tree.unfinished.mkdir(parents=True)
        if not recycle.reuse(project, target, making):
            project.git.add_worktree(making, target.commit)
            bytecode.inherit(project.git, project.live(), making, target.commit)
            contents.complete(project.git.at(making), tree.submodules, project.git.url() or "")
        contents.check(project.git.at(making))
        disk.link_shared(tree, making, final, project.wanted.shared_paths)
    if environment.plan_environment(making) is None:
        _compile(project, making, project.wanted.python)
    # From here on it looks whole, and is, after a power loss, too: git alone has yet to learn where it went.
    durable.sync_file_systems(project.run, making)
    making.rename(final)
    project.git.repair_worktrees([final])
    tree.unfinished.rmdir()


def _compile(project: Project, release: Path, python: str) -> None:
    if bytecode.has_modules(release):
        with project.report.phase("compile"):
            bytecode.compile_missing(release, python, project.run)
