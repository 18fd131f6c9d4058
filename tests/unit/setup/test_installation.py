"""Builds of a program that setup installs: their names, which one is current, and which are removed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.interpreter import Interpreter
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.installation import (
    command_lines,
    name_build,
    prune,
    switch,
    unused,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _source

PYTHON = Interpreter("/usr/bin/python3.11", "3.11", "cpython-311 abi", "linux-x86_64")
PROCMON = Path(__file__).parents[3] / "roles/supervisor/files/procmon"


@pytest.mark.parametrize("change", [{"path": "/opt/bin/python3.11"}, {"version": "3.13"}, {"tag": "cpython-313 abi"}])
def test_another_interpreter_is_another_build(change: dict[str, str]) -> None:
    assert name_build("source", replace(PYTHON, **change)) != name_build("source", PYTHON)
    assert name_build("other source", PYTHON) != name_build("source", PYTHON)
    assert name_build("source", PYTHON) == name_build("source", replace(PYTHON))


def test_current_is_replaced_in_one_step(tmp_path: Path) -> None:
    assert switch(tmp_path, "a")
    assert not switch(tmp_path, "a")
    (tmp_path / "current.new").symlink_to("left over")
    assert switch(tmp_path, "b")
    assert (str((tmp_path / "current").readlink()), sorted(path.name for path in tmp_path.iterdir())) == (
        "b",
        ["current"],
    )


def builds(home: Path, *places: str) -> None:
    """Make builds as far as they are recognized."""
    for place in places:
        (home / place).parent.mkdir(parents=True)
        (home / place).touch()


def test_what_is_current_or_used_stays(tmp_path: Path) -> None:
    """0.1.0 had no directory `venv`; what else is in the directory is not touched."""
    builds(tmp_path, "a/venv/pyvenv.cfg", "b/venv/pyvenv.cfg", "c/venv/pyvenv.cfg", "d/pyvenv.cfg", "etc/blog.toml")
    switch(tmp_path, "a")
    lines = [f"{tmp_path}/b/venv/bin/python\0-m\0x", f"{tmp_path}/cc/venv/bin/python"]
    assert unused(tmp_path, lines) == [tmp_path / "c", tmp_path / "d"]


def test_a_build_stays_as_long_as_a_process_runs_from_it(tmp_path: Path) -> None:
    """The command line alone counts: procmon replaces itself, and its workers keep theirs."""
    builds(tmp_path, "a/venv/pyvenv.cfg", "b/venv/pyvenv.cfg")
    switch(tmp_path, "b")
    argv = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", f"{tmp_path}/a/venv/bin/procmon"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        user.stdout.readline()
        assert any(f"{tmp_path}/a/" in line for line in command_lines())
        assert prune(tmp_path) == []
        user.communicate()
    assert prune(tmp_path) == ["a"]
    assert not (tmp_path / "a").exists()


def test_what_is_packed_is_what_names_the_build(tmp_path: Path) -> None:
    """Every file of procmon, each with its name: otherwise setup would take a changed procmon for the installed one."""
    source = tmp_path / "procmon"
    (source / "src/__pycache__").mkdir(parents=True)
    (source / "src/__pycache__/a.pyc").write_text("compiled")
    (source / "src/a.py").write_text("1")
    before = _source.digest(source)
    (source / "src/__pycache__/a.pyc").write_text("compiled otherwise")
    assert _source.digest(source) == before
    (source / "src/a.py").rename(source / "src/b.py")
    assert _source.digest(source) != before
    with tarfile.open(_source.pack(PROCMON, tmp_path)) as packed:
        names = set(packed.getnames())
    assert names == {f"procmon/{path.relative_to(PROCMON)}" for path in _source.files(PROCMON)}
    assert {f"procmon/{path.relative_to(PROCMON)}" for path in PROCMON.rglob("*.py")} <= names
    assert "procmon/pyproject.toml" in names
