# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lock files are left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import locks as git_locks


@pytest.mark.parametrize(("taken", "stale"), [(5000.0, False), (4500.0, False), (4399.0, True), (999.0, True)])
def test_a_lock_is_left_over_when_it_is_old_or_from_before_the_start(taken: float, stale: object) -> None:
    assert git_locks.is_stale(taken, now=5000.0, booted=1000.0, abandoned=False) is stale
    assert git_locks.is_stale(taken, now=5000.0, booted=6000.0, abandoned=False)
    assert git_locks.is_stale(taken, now=5000.0, booted=1000.0, abandoned=True)


@pytest.mark.parametrize(
    ("argv", "cwd", "works"),
    [
        (["git", "fetch"], "/srv/blog/source", True),
        (["/usr/bin/git", "-C", "/srv/blog/source", "gc"], "/", True),
        (["/usr/lib/git-core/git-remote-https", "origin"], "/srv/blog", True),
        (["git", "fetch"], "/srv/blogs", False),
        (["python3", "/srv/blog/source/app.py"], "/srv/blog/source", False),
        ([], "/srv/blog", False),
    ],
)
def test_which_processes_are_gits_that_work_in_a_project(argv: list[str], cwd: str, works: object) -> None:
    assert git_locks.works_in(Path("/srv/blog"), argv, Path(cwd)) is works


@pytest.mark.parametrize(("text", "booted"), [("cpu 1\nbtime 1795449000\nprocesses 3\n", 1795449000.0), ("", 0.0)])
def test_when_the_machine_started(text: str, booted: float) -> None:
    assert git_locks.booted_at(text) == booted
