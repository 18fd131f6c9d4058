# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configured `index` is the only source of packages, whatever else the server is set up to ask.

The other source records what it is asked; it has a newer version of what is wanted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.package_index import Index, package_index
from tests.support.releases.environments import UV, made_by, plan
from tests.support.releases.packages import make_wheel

PROJECT = '[project]\nname = "blog"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["tiny"]\n'
FILES = {
    "requirements.txt": {"requirements.txt": "tiny\n"},
    "pyproject.toml": {"pyproject.toml": PROJECT},
    "uv.lock": {"pyproject.toml": PROJECT},
}


def serve(directory: Path, *versions: str) -> Path:
    """Make the directory of an index that has `tiny` in these versions."""
    packages = directory / "simple/tiny"
    packages.mkdir(parents=True)
    for version in versions:
        make_wheel(packages, "tiny", version)
    return directory


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The source that must not be asked, though all variables and files that pip and uv read name it."""
    with package_index(serve(tmp_path / "elsewhere", "1.0", "2.0")) as server:
        wheels = tmp_path / "elsewhere/simple/tiny"
        for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
            monkeypatch.setenv(variable, server.address)
        for variable in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
            monkeypatch.setenv(variable, str(wheels))
        (tmp_path / "pip.conf").write_text(f"[global]\nextra-index-url = {server.address}\nfind-links = {wheels}\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


@pytest.fixture(params=["address", "directory"])
def index(request: pytest.FixtureRequest, tmp_path: Path, elsewhere: Index) -> Iterator[str]:
    """The configured source, which has version 1.0 only."""
    assert elsewhere.asked == set()
    with package_index(serve(tmp_path / "ours", "1.0")) as server:
        yield server.address if request.param == "address" else str(tmp_path / "ours/simple/tiny")


@pytest.mark.parametrize(
    ("uv", "lead"), [(None, "requirements.txt"), (None, "pyproject.toml"), *((UV, lead) for lead in FILES)]
)
def test_nothing_else_is_asked(tmp_path: Path, elsewhere: Index, index: str, uv: str | None, lead: str) -> None:
    release = tmp_path / "releases/0123456789ab"
    release.mkdir(parents=True)
    for name, text in FILES[lead].items():
        (release / name).write_text(text)
    if lead == "uv.lock":
        lock(release)
        assert elsewhere.asked != set()
        elsewhere.asked.clear()
    before = sorted(path.name for path in release.iterdir())
    spec = plan(release)
    assert spec.lead == lead
    environments = made_by("uv" if uv else "pip", tmp_path / "envs", index)
    built = environments.ensure(spec, release)
    (module,) = built.path.glob("lib/*/site-packages/tiny.py")
    assert "1.0" in module.read_text()
    assert elsewhere.asked == set()
    assert elsewhere.leaked == set()
    assert sorted(path.name for path in release.iterdir()) == before


def lock(release: Path) -> None:
    """Lock version 1.0 as another person would, whose index is the other source."""
    subprocess.run(
        [UV, "lock", "--quiet", "--python", sys.executable, "--upgrade-package", "tiny==1.0"], cwd=release, check=True
    )
