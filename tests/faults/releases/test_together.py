# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several at once on one project: they queue or fail with the holder's name, and the end is one whole release."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ProjectPaths

from tests.support.releases.invariants import assert_agreement, proven, torn
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT, Upstream, git

ROUNDS = 12
LN = shutil.which("ln") or "ln"
Answer = dict[str, Any]


def together(*runs: subprocess.Popen[str]) -> list[Answer]:
    """The answers of runs that were started at once."""
    return [json.loads(run.communicate(timeout=60)[0]) for run in runs]


def test_two_deploys_and_a_revert_at_once(site: Site, upstream: Upstream) -> None:
    """Without patience at least one wins, and each of the others names the one that did."""
    for number in range(2):
        upstream.commit(f"v{number}")
        site.deploy(keep=2)
    for number in range(ROUNDS):
        first, second = upstream.commit(f"a{number}"), upstream.commit(f"b{number}")
        answers = together(
            site.start(ref=first, keep=2, by="anna"),
            site.start(ref=second, keep=2, by="bert"),
            site.start(state="reverted", keep=2, by="cleo"),
        )
        refused = [answer["msg"] for answer in answers if answer.get("failed")]
        assert len(refused) < 3
        assert all("another run holds the lock: " in message for message in refused)
        assert torn(site.paths.current.resolve()) == []
        assert_agreement(site)


def test_those_who_wait_all_have_their_turn(site: Site, upstream: Upstream) -> None:
    upstream.commit("v0")
    site.deploy()
    shas = [upstream.commit(f"v{number}") for number in range(1, 5)]
    answers = together(*(site.start(ref=sha, lock_wait=60) for sha in shas))
    assert [answer["outcome"] for answer in answers] == ["live"] * 4
    assert len(site.logged) == 5
    assert_agreement(site)


def test_the_original_at_the_same_time(site: Site, upstream: Upstream) -> None:
    """It knows no lock. Whatever it does meanwhile, what is live is whole, and the next deploy puts all in order."""
    upstream.commit("v0", app_py="x = 0")
    site.deploy()
    for number in range(ROUNDS):
        upstream.commit(f"v{number + 1}", app_py=f"x = {number}")
        original = threading.Thread(target=script, args=(site.paths,))
        original.start()
        answer = site.module(ref="origin/master")
        original.join()
        assert "Traceback" not in answer["msg"]
        assert torn(site.paths.current.resolve()) == []
        site.deploy(ref="origin/master")
        assert site.version == f"v{number + 1}"
        assert site.consistent()
    # It has had its turns.
    assert len(site.logged) > len(proven(site))


def script(tree: ProjectPaths) -> None:
    """What the original does, three times; it gives up when its git finds another at work."""
    clone = [GIT, "-C", str(tree.source)]
    for _ in range(3):
        steps = (
            [*clone, "fetch", "--all"],
            [*clone, "reset", "--hard", "origin/master"],
            [LN, "-sfn", str(tree.source), str(tree.current)],
        )
        if all(subprocess.run(step, check=False, capture_output=True).returncode == 0 for step in steps):
            with tree.deploys.open("a") as log:
                log.write(git(tree.source, "rev-parse", "--short", "HEAD") + "\n")
