"""The checks check everything, and no test can be left out of them in silence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def test_every_check_runs_with_make_test(root: Path) -> None:
    """A script in tools/checks/ that no stage names would never run."""
    asked = subprocess.run(
        [sys.executable, str(root / "tools" / "check"), "?"], capture_output=True, text=True, check=False
    )
    assert asked.returncode != 0
    known = asked.stderr.strip().rpartition("there are: ")[2].split(", ")
    assert sorted(known) == sorted(path.name for path in (root / "tools" / "checks").iterdir())


def test_no_target_of_make_has_the_name_of_a_check(root: Path) -> None:
    """`make CHECK` runs that check: a target of the same name would mean two things. `tests` runs it without T."""
    targets = re.findall(r"^([a-z-]+(?: [a-z-]+)*):", (root / "Makefile").read_text(), re.MULTILINE)
    names = {name for line in targets for name in line.split()}
    assert names >= {"lint", "test", "bench-procmon"}
    assert names & {path.name for path in (root / "tools" / "checks").iterdir()} == {"tests"}


def test_what_is_run_can_be_run(root: Path, files: list[Path]) -> None:
    """Modules are not run but sent: Ansible wants them with a first line and without the permission."""
    scripts = [path for path in files if path.parts[0] != "plugins"]
    started = [path for path in scripts if (root / path).read_bytes().startswith(b"#!")]
    assert started
    assert [path for path in started if not os.access(root / path, os.X_OK)] == []


def test_no_test_is_left_out(root: Path, files: list[Path]) -> None:
    """A test that is skipped somewhere passes everywhere."""
    leaving_out = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b|unittest\.skip")
    tests = [path for path in files if path.suffix == ".py" and path.parts[0] in {"tests", "molecule"}]
    tests.remove(Path(__file__).relative_to(root))
    assert [path for path in tests if leaving_out.search((root / path).read_text())] == []


@pytest.mark.parametrize(
    ("given", "run"),
    [([], "tools/check tests"), (["T=tests/unit -k x"], ".venv/bin/python -m pytest tests/unit -k x")],
)
def test_make_tests_runs_what_it_is_given(root: Path, given: list[str], run: str) -> None:
    argv = ["make", "--dry-run", "--no-print-directory", "tests", *given]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == run


def test_what_must_be_covered_exists(root: Path) -> None:
    """A pattern that no file matches any more would cover nothing."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["coverage"]
    patterns = settings["report"]["include"]
    assert patterns
    assert [pattern for pattern in patterns if not list(root.glob(pattern))] == []
    assert (settings["run"]["branch"], settings["report"]["fail_under"]) == (True, 100)
