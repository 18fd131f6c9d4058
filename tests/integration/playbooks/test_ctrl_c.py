"""Ctrl-C in each phase: what the screen says at once is what then happens, and nothing stays stuck."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Start, Upstream, following, last_outcome, serving
from tests.support.releases.real_procmon import APP
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream as Remote
from tests.support.sshd import Sshd
from tests.support.waiting import until

BEFORE, AFTER = "before the switch: nothing changes", "after the switch: the server completes the deploy"
# Stands before a program, and holds it up until there is a file `go`.
GATED = """#!/bin/sh
case " $* " in *" {word} "*) touch {folder}/reached; until test -e {folder}/go; do sleep 0.05; done ;; esac
exec {program} "$@"
"""
WAITING_APP = """
import os, time
open({reached!r}, "w").close()
while not os.path.exists({go!r}):
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class Gate:
    """Where a run waits until the test lets it go on."""

    folder: Path

    @property
    def reached(self) -> Path:
        return self.folder / "reached"

    @property
    def go(self) -> Path:
        return self.folder / "go"

    @property
    def hook(self) -> str:
        """A hook that waits here."""
        return f"touch {self.reached}; until test -e {self.go}; do sleep 0.05; done"

    def program(self, bin_folder: Path, name: str, word: str) -> None:
        """Put a program before the one of this name, which waits here when `word` is an argument."""
        found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        bin_folder.mkdir(exist_ok=True)
        shim = bin_folder / name
        shim.write_text(GATED.format(word=word, folder=self.folder, program=found))
        shim.chmod(0o755)


def stuck(*paths: Path) -> list[str]:
    """Return the processes that have one of these paths in their arguments."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().decode("utf-8", "replace").replace("\0", " ")
        except OSError:
            # It has ended in between.
            continue
        found += [line] if any(str(path) in line for path in paths) else []
    return found


@dataclass(frozen=True)
class Scene:
    """A laptop whose project `blog` is behind ssh, with a gate on the server."""

    laptop: Laptop
    sshd: Sshd
    gate: Gate
    start: Start
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "srv/blog"

    @property
    def journal(self) -> list[str]:
        return (self.path / ".deploys.jsonl").read_text().splitlines()

    def login(self) -> dict[str, object]:
        """Return the settings of a project on this server."""
        return {"connection": "ssh", "host": "127.0.0.1", "port": self.sshd.port, "user": getpass.getuser()}

    def hold(self, program: str, word: str) -> None:
        """Hold a program at the gate when the server runs it with an argument."""
        self.gate.program(self.sshd.server.home / "account/bin", program, word)

    def run(self, playbook: str) -> int:
        """Run a playbook to its end, and return its exit code."""
        return self.laptop.run(f"playbooks/{playbook}.yml", extra={"project": "blog"}).code

    def two_commits(self, **settings: object) -> None:
        """Make one commit live, and another one to deploy."""
        site = Site(self.path, Remote.make(self.folder))
        site.path.parent.mkdir()
        site.upstream.commit("one")
        site.deploy()
        site.upstream.commit("two", requirements_txt="# none\n")
        self.laptop.project("blog", site.upstream.url, ref="origin/master", **self.login(), **settings)


@pytest.fixture
def scene(laptop: Laptop, sshd: Sshd, start: Start, tmp_path: Path) -> Scene:
    (tmp_path / "gate").mkdir()
    return Scene(laptop, sshd, Gate(tmp_path / "gate"), start, tmp_path)


@dataclass(frozen=True)
class Phase:
    """A phase in which a deploy waits at the gate, what Ctrl-C says then, and how the attempt ends."""

    name: str
    says: str
    outcome: str


PROGRAMS = {"fetch": ("git", "fetch"), "environment": ("uv", "venv")}
PHASES = [
    Phase("fetch", BEFORE, "failed"),
    Phase("environment", BEFORE, "failed"),
    Phase("pre_deploy", BEFORE, "failed"),
    Phase("post_deploy", AFTER, "live"),
    Phase("test", AFTER, "put_back"),
]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_in_a_deploy(scene: Scene, phase: Phase) -> None:
    hooks: dict[str, object] = {"pre_deploy": f"echo >> {scene.folder}/hooks"}
    if phase.name in PROGRAMS:
        scene.hold(*PROGRAMS[phase.name])
    else:
        hooks[phase.name] = scene.gate.hook + ("; false" if phase.outcome == "put_back" else "")
    scene.two_commits(**hooks)
    press_ctrl_c(scene, phase)
    if phase.name in PROGRAMS:
        assert not (scene.folder / "hooks").exists(), "no hook runs after that"


def test_in_the_wait_for_the_reload(scene: Scene) -> None:
    with serving(scene.laptop, scene.folder, **scene.login()) as remote:
        assert scene.run("deploy") == 0
        waits = WAITING_APP.format(reached=str(scene.gate.reached), go=str(scene.gate.go))
        remote.commit("v2", main_py=waits + APP)
        press_ctrl_c(scene, Phase("reload", AFTER, "live"))


def press_ctrl_c(scene: Scene, phase: Phase) -> None:
    """Deploy on a terminal, press Ctrl-C once the phase is under way, and compare what it shows with what happens."""
    terminal = scene.start("deploy")
    settings, before = terminal.settings(), len(scene.journal)
    until(scene.gate.reached.exists, f"the phase {phase.name}")
    terminal.until(lambda screen: f" {phase.name} " in screen, f"{phase.name} on the screen")
    terminal.type("\x03")
    assert terminal.end() == 130
    seen = " ".join(terminal.screen.history().split("\n"))
    assert f"Interrupted in {phase.name}, {phase.says}" in seen
    assert "`ansible-playbook status.yml -e project=blog` shows" in seen
    assert "^C" not in seen
    assert "ERROR" not in seen
    assert (terminal.screen.cursor_visible, terminal.settings()) == (True, settings)
    assert len(scene.journal) == before, "it has not ended yet"
    live = (scene.path / "current").resolve()
    scene.gate.go.touch()
    until(lambda: len(scene.journal) > before, "the server's own end")
    assert last_outcome(scene.path) == phase.outcome
    assert ((scene.path / "current").resolve() == live) == (phase.outcome != "put_back")
    until(lambda: not stuck(scene.gate.folder) and not following(scene.path), "the end of what it had started")


def test_a_second_ctrl_c_leaves_a_usable_terminal(scene: Scene) -> None:
    scene.two_commits(pre_deploy=scene.gate.hook)
    terminal = scene.start("deploy")
    settings = terminal.settings()
    terminal.until(lambda screen: " pre_deploy " in screen, "the hook")
    terminal.type("\x03")
    terminal.until(lambda screen: "Interrupted in pre_deploy, before the switch" in screen, "how it will end")
    terminal.type("\x03")
    assert terminal.end() != 0
    assert (terminal.screen.cursor_visible, terminal.settings()) == (True, settings)
    scene.gate.go.touch()
    until(lambda: last_outcome(scene.path) == "failed", "the server's own end")


def test_in_setup(scene: Scene, upstream: Upstream) -> None:
    """It can be run again."""
    scene.hold("git", "clone")
    scene.laptop.project("blog", upstream.path, **scene.login())
    terminal = scene.start("setup")
    until(scene.gate.reached.exists, "the clone")
    terminal.type("\x03")
    assert terminal.end() == 130
    seen = " ".join(terminal.screen.history().split())
    again = "which may be half done. Run `ansible-playbook setup.yml -e project=blog` again: it goes on from there."
    assert "Interrupted in 'Make the directories and clone the repository', " + again in seen
    assert terminal.screen.cursor_visible
    scene.gate.go.touch()
    until(lambda: not stuck(scene.gate.folder, scene.path), "the end of the clone")
    assert scene.run("setup") == 0


def test_in_status(scene: Scene) -> None:
    scene.two_commits()
    scene.hold("git", "rev-parse")
    terminal = scene.start("status")
    until(scene.gate.reached.exists, "git on the server")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.screen.history().split("\n")[-1] == "Interrupted: nothing was changed."
    assert terminal.screen.cursor_visible
    scene.gate.go.touch()
    until(lambda: not stuck(scene.gate.folder), "the end of git")
