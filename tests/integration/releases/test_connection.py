# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laptop goes away in the middle of a deploy: it is finished or rolled back, and status shows which."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.releases.invariants import assert_agreement, torn
from tests.support.releases.shim import GitShim
from tests.support.releases.site import CALL, COLLECTIONS, Site
from tests.support.releases.upstream import Upstream
from tests.support.ssh_server import SshServer, ssh_server
from tests.support.waiting import until

# By its test hook: what is live at the end of a deploy, and what the journal says of it.
ENDS = {"true": ("two", "live"), "false": ("one", "put_back")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as started:
        yield started


@pytest.fixture
def second(site: Site, upstream: Upstream) -> Site:
    """A project with `one` live, and `two` to be deployed."""
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    return site


def log_in(
    server: SshServer, site: Site, *, terminal: bool, path: str = "$PATH", **options: object
) -> subprocess.Popen[str]:
    """Run the module on the other side of ssh, as Ansible does, with or without a terminal there.

    The shell stays above it: when that dies of a hang-up, the terminal's whole group gets the signal.
    """
    program = shlex.join([sys.executable, "-c", CALL.format(module="releases")])
    command = f"PATH={path} PYTHONPATH={COLLECTIONS} GIT_CONFIG_GLOBAL=/dev/null {program} && sleep 0"
    client = server.client(server.key).split()
    process = subprocess.Popen(
        [*client, "-tt" if terminal else "-T", "-p", str(server.port), "127.0.0.1", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    # End of file: by closing the pipe, or by the terminal's own key for it.
    given = json.dumps({"ANSIBLE_MODULE_ARGS": site.options(ref="master", **options)})
    process.stdin.write(given + ("\n\x04" if terminal else ""))
    process.stdin.flush()
    if not terminal:
        process.stdin.close()
        process.stdin = None
    return process


def gate(tmp_path: Path) -> str:
    """A hook that says it is there and then waits; putting back runs it again, and it passes at once."""
    return f"test -e {tmp_path}/up || {{ mkfifo {tmp_path}/gate; echo > {tmp_path}/up; read line < {tmp_path}/gate; }}"


def ended(site: Site) -> bool:
    facts = site.info()
    return facts["locked_by"] is None and facts["interrupted"] is None


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("test", ENDS)
def test_a_connection_that_is_cut_between_switch_and_answer(
    second: Site, server: SshServer, tmp_path: Path, *, terminal: bool, test: str
) -> None:
    """No one reads the answer, no input is left, and a terminal hangs up: the deploy comes to its own end."""
    client = log_in(server, second, terminal=terminal, post_deploy=gate(tmp_path), test=test)
    until((tmp_path / "up").exists, "the hook")
    assert second.version == "two"
    server.hang_up()
    client.communicate(timeout=30)
    assert second.info()["locked_by"]["by"] == "tj"
    (tmp_path / "gate").write_text("go\n")
    until(lambda: ended(second), "the end of the deploy")
    live, outcome = ENDS[test]
    assert (second.version, second.info()["journal"][-1]["outcome"]) == (live, outcome)
    assert torn(second.paths.current.resolve()) == []
    assert_agreement(second)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_a_connection_that_is_cut_while_git_works(
    second: Site, server: SshServer, tmp_path: Path, *, terminal: bool
) -> None:
    """The terminal's hang-up goes to all who belong to it: git must not be one of them."""
    shim = GitShim(tmp_path / "shim", "reset --quiet --soft")
    client = log_in(server, second, terminal=terminal, path=f"{shim.gate.parent}:$PATH")
    shim.reach()
    server.hang_up()
    client.communicate(timeout=30)
    until(shim.open, "git at the gate")
    until(lambda: ended(second), "the end of the deploy")
    assert (second.version, second.outcomes[-1]) == ("two", "live")
    assert_agreement(second)


def test_an_answer_that_is_not_read_reverts_nothing(second: Site, tmp_path: Path) -> None:
    process = second.start(ref="master", post_deploy=gate(tmp_path))
    until((tmp_path / "up").exists, "the hook")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stderr.close()
    (tmp_path / "gate").write_text("go\n")
    process.wait(timeout=30)
    assert (second.version, second.outcomes[-1]) == ("two", "live")
    assert_agreement(second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
@pytest.mark.parametrize("hook", ["pre_deploy", "post_deploy", "test"])
def test_a_run_that_is_stopped_in_a_hook_ends_with_the_release_before(
    second: Site, tmp_path: Path, hook: str, number: signal.Signals
) -> None:
    process = second.start(ref="master", **{hook: gate(tmp_path)})
    until((tmp_path / "up").exists, "the hook")
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert f"stopped by {number.name}" in json.loads(out)["msg"]
    assert (second.version, second.outcomes[-1]) == ("one", "failed" if hook == "pre_deploy" else "put_back")
    assert_agreement(second)


def test_a_first_deploy_that_is_killed_is_reported_then_done(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    process = site.start(ref="master", post_deploy=gate(tmp_path))
    until((tmp_path / "up").exists, "the hook")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    facts = site.info()
    assert facts["interrupted"]["by"] == "tj"
    assert any("was interrupted; the next deploy" in note for note in facts["notes"])
    answered = site.module(ref="master")
    assert "had not been verified; nothing was live before, current was removed" in json.dumps(answered["warnings"])
    assert_agreement(site)


def test_a_child_that_a_hook_leaves_behind_holds_no_lock(second: Site, tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert second.module(ref="master", post_deploy=f"{sleep} 100 & echo $! > {tmp_path}/pid")["changed"]
    child = int((tmp_path / "pid").read_text())
    second.upstream.commit("three")
    assert second.module(ref="master")["changed"]
    os.kill(child, signal.SIGKILL)
