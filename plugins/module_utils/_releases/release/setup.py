# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""A project's directories and its clone: find out what is missing, and create it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from ..errors import ReleaseError
from ..git import deploy_key
from ..git.client import Git
from ..git.worktrees import record_of
from ..model import ProjectPaths
from ..options import Options
from ..project import Project
from ..records import history
from ..system import files
from . import layout
from .prune import RELEASE_NAME


def require_setup(path: Path) -> None:
    """Raise ReleaseError where only setup can make the project's directory, or give it to this user.

    One that holds a clone was set up: what may not be written there has another reason.
    """
    place = next(one for one in (path, *path.parents) if os.path.lexists(one))
    # What the user may not even enter, the operating system reports itself.
    if not place.is_dir() or not os.access(place, os.X_OK) or os.access(place, os.W_OK):
        return
    if os.path.lexists(ProjectPaths(path).source):
        return
    here = place == path
    what = "this user may not write there" if here else f"this user may not create it in {place}"
    found = f"{path} {'has no clone' if here else 'does not exist'}, and {what}"
    raise ReleaseError(f"the project is not set up on this server: {found}", "run setup")


def ensure_layout(project: Project) -> bool:
    """Create the project's directories and its clone. Return whether anything was missing."""
    paths = project.paths
    steps = missing_steps(project)
    for step in steps:
        # Cloning a long history may take most of the time of a first deploy.
        with project.report.phase("clone") if isinstance(step, layout.Clone) else nullcontext():
            _carry_out(step, project)
    _protect_address(paths)
    relink_live_worktree(project)
    _pin_log(project)
    return bool(steps)


def _protect_address(paths: ProjectPaths) -> None:
    """Make the clone's configuration readable for its owner only: the address in it may hold a token."""
    config = paths.source / ".git/config"
    if config.is_file():
        found = config.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077:
            config.chmod(0o600)


def missing_steps(project: Project) -> list[layout.Step]:
    """Return what is missing of the project's directories and its clone."""
    return layout.plan_layout(read_layout(project.options, project.git), project.options)


def _pin_log(project: Project) -> None:
    # The original script pins nothing, and the next fetch may drop the branch that holds a logged commit.
    git = project.git
    pinned = git.pins()
    lines = {line for line in history.read_deploys(project.paths.deploys) if not _is_pinned(line, pinned)}
    git.pin(full for full in map(git.rev_parse, sorted(lines)) if full)


def _is_pinned(line: str, pinned: set[str]) -> bool:
    return any(history.same(pin, line) for pin in pinned)


def read_layout(options: Options, git: Git) -> layout.Layout:
    """Look at what there is under the project's path."""
    paths = options.paths
    ours = [*layout.directories(options), *(paths.shared / entry for entry in options.shared_paths)]
    is_clone = paths.source.is_dir() and git.is_repository()
    return layout.Layout(
        present=frozenset(path for path in ours if os.path.lexists(path)),
        url=(git.url() or "") if is_clone else None,
        ssh_command=git.ssh_command() if is_clone else "",
        occupied=os.path.lexists(paths.source) and not is_clone,
        uploads=frozenset(entry for entry in options.shared_paths if is_clone and _is_upload(paths, git, entry)),
    )


def _carry_out(step: layout.Step, project: Project) -> None:
    """Carry out one step of a layout."""
    paths, git = project.paths, project.git
    if isinstance(step, layout.MakeDirectory):
        step.path.mkdir(parents=True, exist_ok=True)
    elif isinstance(step, layout.Clone):
        _clone(step.url, project)
    elif isinstance(step, layout.SetSshCommand):
        git.set_ssh_command(step.command)
    elif isinstance(step, layout.SetUrl):
        # Fetch before saving the URL, so that a typo never becomes the stored remote.
        git.fetch(step.url)
        git.set_url(step.url)
    else:
        _move_to_shared(step.entry, paths)


def _is_upload(paths: ProjectPaths, git: Git, entry: str) -> bool:
    place = paths.source / entry
    return place.is_dir() and not place.is_symlink() and not git.tracks(entry)


def _clone(url: str, project: Project) -> None:
    paths, ssh_command = project.paths, project.options.ssh_command
    # Neither a clone that was killed half way nor one that lost data in a power loss may look complete.
    fresh = project.git.at(paths.path / ".source.new")
    files.remove_tree(fresh.directory)
    if ssh_command is None:
        deploy_key.clone(fresh, project.run, url, project.options.name)
    else:
        fresh.clone(url, ssh_command=ssh_command)
    # Where hooks and people expect it; git's own template has it as well.
    (fresh.directory / ".git/info").mkdir(exist_ok=True)
    os.sync()
    if paths.source.is_dir():
        paths.source.rmdir()
    fresh.directory.rename(paths.source)


def finish_move(paths: ProjectPaths, entry: str) -> None:
    """Complete a move to `shared` whose run died just before the link was put in place."""
    place = paths.source / entry
    link = _link_of_move(place)
    if link.is_symlink() and not os.path.lexists(place) and (paths.shared / entry).exists():
        link.rename(place)


def _link_of_move(place: Path) -> Path:
    return place.with_name(f".{place.name}.new")


def _move_to_shared(entry: str, paths: ProjectPaths) -> None:
    place, kept = paths.source / entry, paths.shared / entry
    kept.parent.mkdir(parents=True, exist_ok=True)
    link = _link_of_move(place)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(kept, place.parent))
    # The old path is missing only between these two lines.
    place.rename(kept)
    link.rename(place)


def relink_live_worktree(project: Project) -> None:
    """After a new clone, register the live release with it, so that its commit stays known.

    No file of the release is changed. Other releases that the clone does not know are recreated when they are needed.
    """
    paths, git = project.paths, project.git
    release = Path(os.path.realpath(paths.current))
    if not _is_unregistered(project, release):
        return
    commit = git.rev_parse(release.name)
    if commit is None:
        return
    making = paths.unfinished / release.name
    paths.unfinished.mkdir(exist_ok=True)
    git.add_worktree(making, commit, files=False)
    (making / ".git").replace(release / ".git")
    git.repair_worktrees([release])
    git.at(release).read_index()
    files.remove_tree(paths.unfinished)


def _is_unregistered(project: Project, release: Path) -> bool:
    paths = project.paths
    is_release = release.parent == paths.releases.resolve() and RELEASE_NAME.fullmatch(release.name)
    return bool(is_release) and release.is_dir() and record_of(release) is None and (paths.source / ".git").is_dir()
