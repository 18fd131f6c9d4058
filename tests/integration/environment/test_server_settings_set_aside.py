# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings by which packages would end elsewhere do not reach pip and uv."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import Environments

from tests.support.releases.environments import MakeRelease, build, version_in

VARIABLES = {
    "PIP_USER": "1",
    "PIP_TARGET": "{0}/target",
    "PIP_PREFIX": "{0}/prefix",
    "PIP_ROOT": "{0}/root",
    "PIP_DRY_RUN": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_PYTHON": "{0}/python",
    "PIP_REQUIREMENT": "{0}/nonexistent.txt",
    "PIP_NO_COMPILE": "1",
    "UV_SYSTEM_PYTHON": "1",
    "UV_PYTHON": "3.8",
    "UV_PROJECT": "{0}/project",
    "UV_PROJECT_ENVIRONMENT": "{0}/venv",
    "UV_WORKING_DIRECTORY": "{0}/nonexistent",
    "UV_MANAGED_PYTHON": "1",
    "UV_LINK_MODE": "symlink",
    "UV_BREAK_SYSTEM_PACKAGES": "1",
    "VIRTUAL_ENV": "{0}/venv",
    "PYTHONHOME": "{0}",
    "PYTHONPATH": "{0}/path",
}
PIP_CONF = """
[global]
user = true
root = {0}/root
[install]
target = {0}/target
prefix = {0}/prefix
dry-run = true
no-compile = true
"""
UV_TOML = """
link-mode = "symlink"
python-preference = "only-managed"
[pip]
target = "{0}/target"
prefix = "{0}/prefix"
system = true
python = "3.8"
"""


def test_variables_do_not_lead_packages_elsewhere(
    tmp_path: Path, make_release: MakeRelease, environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "path").mkdir(parents=True)
    for name in ("venv.py", "pip.py", "tiny.py"):
        (elsewhere / "path" / name).write_text("raise SystemExit('from PYTHONPATH')")
    before = sorted(elsewhere.rglob("*"))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value.format(elsewhere))
    built = build(environments, make_release({"requirements.txt": "tiny\n"}))
    monkeypatch.undo()
    check_installed(built.path)
    assert sorted(elsewhere.rglob("*")) == before


def test_files_do_not_lead_packages_elsewhere(
    tmp_path: Path, make_release: MakeRelease, environments: Environments
) -> None:
    for file, text in (("pip/pip.conf", PIP_CONF), ("uv/uv.toml", UV_TOML)):
        (tmp_path / "home/.config" / file).parent.mkdir(parents=True)
        (tmp_path / "home/.config" / file).write_text(text.format(tmp_path / "elsewhere"))
    built = build(environments, make_release({"requirements.txt": "tiny\n"}))
    check_installed(built.path)
    assert not (tmp_path / "elsewhere").exists()


def check_installed(path: Path) -> None:
    assert version_in(path) == "2.0"
    (module,) = path.glob("lib/*/site-packages/tiny.py")
    assert not module.is_symlink()
    assert list(module.parent.glob("__pycache__/tiny.*.pyc"))
