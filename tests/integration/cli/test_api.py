"""`onetouch_deploy.run`: the playbooks from Python, over ansible-runner."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import onetouch_deploy
from onetouch_deploy.errors import CommandError
from tests.integration.cli.conftest import Desk
from tests.integration.playbooks.conftest import Upstream


@pytest.fixture(autouse=True)
def environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the desk, in this process."""
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)


def test_a_deploy_its_results_and_a_failure(desk: Desk, upstream: Upstream) -> None:
    path = desk.project("blog", upstream, ref="origin/main")
    pieces: list[str] = []
    handler = signal.getsignal(signal.SIGINT)
    done = onetouch_deploy.run("deploy", "blog", config=desk.config, on_output=pieces.append)
    assert (done.ok, done.code) == (True, 0)
    [result] = done.results
    assert (result.project, result.server, result.outcome) == ("blog", "localhost", "ok")
    assert result.data["commit"] == upstream.git("rev-parse", "HEAD")
    assert "PLAY RECAP" in "".join(pieces)
    assert (path / "current/page").read_text() == "one"
    failed = onetouch_deploy.run("deploy", "blog", config=desk.folder, ref="nowhere")
    assert (failed.ok, failed.code) == (False, 2)
    assert "ref 'nowhere' is unknown" in failed.results[0].message
    assert signal.getsignal(signal.SIGINT) == handler, "Ctrl-C belongs to the program that has called"


def test_check_and_servers(desk: Desk, upstream: Upstream) -> None:
    path = desk.project("blog", upstream, ref="origin/main")
    assert onetouch_deploy.run("deploy", "blog", config=desk.config, check=True).ok
    assert not (path / "current").exists()
    assert onetouch_deploy.run("history", "blog", config=desk.config, servers=("elsewhere",)).results == []


def test_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No projects are configured"):
        onetouch_deploy.run("deploy", "blog", config=tmp_path)
