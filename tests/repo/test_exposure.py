"""How confined procmon's unit is, as `systemd-analyze security` sees it; docs/security.md has the reasons."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repo.test_templates import TEMPLATES, UNIT_VARIABLES, evaluated

ANALYZE = shutil.which("systemd-analyze") or "systemd-analyze"
SECTION = "## What keeps the score from being better"
# In tenths, as --threshold takes it: behind systemd's socket, and with a port below 1024 that procmon has to open.
BINDS = [("127.0.0.1:3001", 16), ("www.example.com:80", 18)]


def unit(folder: Path, bind: str) -> Path:
    """Write the unit with the project's part as one file, which systemd-analyze reads without a systemd."""
    names = ("procmon@.service.j2", "project.conf.j2")
    expression = " + ".join(f"lookup('template', '{TEMPLATES}/{name}').splitlines()" for name in names)
    lines = evaluated(expression, **{**UNIT_VARIABLES, "supervisor_bind": bind, "supervisor_program": "/bin/true"})
    assert isinstance(lines, list)
    path = folder / "procmon@blog.service"
    path.write_text("\n".join(lines).replace("%i", "blog"))
    return path


def analyze(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask what the unit leaves open."""
    argv = [ANALYZE, "security", "--offline=true", "--no-pager", *words, str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("bind", "tenths"), BINDS)
def test_the_unit_is_as_confined_as_the_documents_say(root: Path, tmp_path: Path, bind: str, tenths: int) -> None:
    path = unit(tmp_path, bind)
    done = analyze(path, f"--threshold={tenths}")
    assert done.returncode == 0, [*done.stdout.splitlines()[-1:], done.stderr]
    assert f"**{tenths / 10}**" in (root / "docs/security.md").read_text()
    assert analyze(path, f"--threshold={tenths - 1}").returncode != 0, "the documents may name a better score"


def test_each_line_that_is_missing_has_a_reason_in_the_documents(root: Path, tmp_path: Path) -> None:
    found = json.loads(analyze(unit(tmp_path, BINDS[0][0]), "--json=short").stdout)
    open_ones = {entry["name"] for entry in found if entry["exposure"] is not None and float(entry["exposure"]) > 0}
    section = (root / "docs/security.md").read_text().partition(SECTION)[2].partition("\n## ")[0]
    named = set(
        re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)).replace("\\|", "|"))
    )
    assert open_ones
    assert open_ones - named == set()
    assert named - open_ones == set(), "no longer open"
