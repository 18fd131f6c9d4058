# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time for each project, by a lock that cannot be left behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import states
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.project import Project
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import lock
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import state as attempt

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream
from tests.support.waiting import until


@pytest.fixture
def busy(site: Site, upstream: Upstream, tmp_path: Path) -> Iterator[Path]:
    """Start a deploy in another process, until something is written to the gate."""
    upstream.commit("one")
    gate = f"mkfifo {tmp_path}/gate; echo > {tmp_path}/up; read line < {tmp_path}/gate"
    process = site.start(ref="master", pre_deploy=gate, by="anna")
    until((tmp_path / "up").exists, "the hook")
    yield tmp_path / "gate"
    process.kill()
    process.communicate()


def test_a_second_run_fails_at_once_and_says_who_holds_the_lock(site: Site, busy: Path) -> None:
    failure = site.fail(ref="master")
    assert "another run holds the lock: anna (deploy master) since 20" in failure.text
    busy.write_text("go\n")


def test_a_second_run_can_wait(site: Site, busy: Path) -> None:
    process = site.start(ref="master", lock_wait=20)
    busy.write_text("go\n")
    out, _ = process.communicate()
    assert "is already live" in out


@pytest.mark.parametrize(
    ("options", "doing"),
    [
        ({"state": "present"}, "setup"),
        ({"state": "prepared"}, "prepare origin/master"),
        ({"state": "reverted"}, "revert 1"),
        ({"state": "reverted", "steps": 3}, "revert 3"),
        ({"state": "reverted", "to": "a" * 40}, "revert to aaaaaaaaaaaa"),
    ],
    ids=str,
)
def test_the_lock_names_what_its_holder_does(
    site: Site, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], doing: str
) -> None:
    """A ref that comes along means nothing to a revert."""
    answered: list[str] = []

    def look(_project: Project) -> None:
        holder = lock.current_holder(site.paths.lock)
        answered.append(holder.doing if holder else "")
        raise ReleaseError("this is enough")

    monkeypatch.setattr(states, "clean_up", look)
    site.fail(ref="origin/master", **options)
    assert answered == [doing]


def test_the_lock_is_held_since_it_was_got(site: Site, upstream: Upstream, busy: Path, tmp_path: Path) -> None:
    """Not since another run began to wait for it."""
    upstream.commit("two")
    process = site.start(ref="master", lock_wait=20, post_deploy=f"cp {site.paths.lock} {tmp_path}/seen", by="bert")
    until(lambda: waits_for(process.pid, site.paths.lock), "the second run")
    began = attempt.now()
    until(lambda: attempt.now() > began, "the next second")
    busy.write_text("go\n")
    process.communicate()
    answered = json.loads((tmp_path / "seen").read_text())
    assert (answered["by"], answered["pid"]) == ("bert", process.pid)
    assert answered["since"] > began


def waits_for(pid: int, path: Path) -> bool:
    """Return whether a process has a lock file open."""
    for file in Path(f"/proc/{pid}/fd").iterdir():
        # Closed meanwhile.
        with suppress(FileNotFoundError):
            if file.readlink() == path:
                return True
    return False


def test_a_killed_run_holds_nothing(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    assert site.exit_code(ref="master", post_deploy="kill -9 $PPID") == -signal.SIGKILL
    site.deploy()
    assert site.consistent()


def test_who_only_asks_sees_the_holder_and_is_not_held_up(site: Site, busy: Path) -> None:
    answered = site.info()
    assert answered["locked_by"]["by"] == "anna"
    assert answered["interrupted"] is None
    (note,) = answered["notes"]
    assert note.startswith("anna is deploying")
    busy.write_text("go\n")
    until(lambda: site.info()["locked_by"] is None, "the lock")
