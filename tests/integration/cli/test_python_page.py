"""The Python blocks of docs/python.md and of the README, each run as a program of its own in a control repository."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk
from tests.integration.playbooks.conftest import Upstream

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The README leaves out what anyone adds.
IMPORTS = "import ansible_runner\nimport onetouch_deploy\n"
# Then the program waits for Ctrl-C, which has to work.
AFTER = """
try:
    print("ends", flush=True)
    __import__("signal").pause()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def blocks(page: str) -> list[str]:
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert found
    return found


PAGE = blocks("docs/python.md")
# What each block of the page prints, in order.
PRINTS = [
    r"blog localhost live [0-9a-f]{40} \{.*'switch': [0-9.]+.*\}",
    r"blog@localhost: post_deploy failed \(exit 4\).*\nlocalhost post_deploy failed \(exit 4\): .* it fails Nothing ",
    r"localhost fetch [0-9.]+\n(.*\n)*built\n",
    r"True \['localhost'\]",
    r"True .*'blog@localhost'.*\nTrue .*'shop@localhost'",
    r"\[Outcome\(.*'blog@localhost'.*Outcome\(.*'shop@localhost'",
    r"successful 0\nblog@localhost live [0-9a-f]{40} blog: [0-9a-f]{12} is live \(1 commit\)",
]
FAILING = 1
CANCELLED = 3


@pytest.fixture
def control(desk: Desk, upstream: Upstream) -> Desk:
    """A control repository with two projects, of which nothing is live."""
    desk.config = desk.folder / "inventory/projects.yml"
    desk.config.parent.mkdir()
    upstream.git("tag", "v1.2")
    for name in ("blog", "shop"):
        desk.project(name, upstream, ref="origin/main", post_deploy="echo built")
    return desk


def begin(control: Desk, program: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-W", "error", "-c", program + AFTER]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=control.folder, env=control.environment, stdout=pipe, text=True)


def run(control: Desk, program: str) -> str:
    """Run a program, then press Ctrl-C; return what it has printed."""
    with begin(control, program) as process:
        assert process.stdout
        printed = ""
        while not printed.endswith("ends\n"):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
    return printed


@pytest.mark.parametrize("number", range(len(PAGE)))
def test_a_block_of_the_page(control: Desk, upstream: Upstream, number: int) -> None:
    if number == FAILING:
        control.project("blog", upstream, ref="origin/main", post_deploy="echo it fails; exit 4")
    if number == CANCELLED:
        control.project("blog", upstream, ref="origin/main", post_deploy="sleep 60")
    assert re.search(PRINTS[number], run(control, PAGE[number]))


def test_the_block_of_the_readme(control: Desk) -> None:
    [block] = blocks("README.md")
    ours, plain = block.splitlines()
    printed = run(control, f"{IMPORTS}{ours}\nprint(outcome.ok)")
    assert printed == "True\nends\n"
    again = f"{IMPORTS}handler = __import__('signal').getsignal(2)\n{plain}\n__import__('signal').signal(2, handler)"
    assert "is already live" in run(control, again)
