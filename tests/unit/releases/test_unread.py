# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements in forms that are not installed are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.spec import plan_environment
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.unread import Unread, find_unread

from tests.support.releases.environments import Files, read_toml

POETRY = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.11"\n'


def found(release: Path, files: Files) -> Unread | None:
    for name, content in files.items():
        (release / name).parent.mkdir(exist_ok=True)
        (release / name).write_text(str(content))
    return find_unread(release, plan_environment(release, read_toml), read_toml)


@pytest.mark.parametrize(
    ("files", "what", "certain"),
    [
        ({"pyproject.toml": '[project]\nname = "a"\ndynamic = ["version", "dependencies"]'}, "dynamic", True),
        ({"pyproject.toml": POETRY + 'django = "^5"\n'}, "Poetry dependencies in pyproject.toml", True),
        ({"pyproject.toml": POETRY + 'django = "^5"\n', "poetry.lock": ""}, "Poetry dependencies", True),
        ({"Pipfile": '[packages]\ndjango = "*"\n'}, "packages in Pipfile", True),
        ({"Pipfile.lock": "{}"}, "Pipfile.lock", True),
        ({"pylock.toml": ""}, "pylock.toml", True),
        ({"environment.yml": ""}, "environment.yml", True),
        ({"setup.py": ""}, "setup.py", False),
        ({"setup.cfg": "", "pyproject.toml": "[build-system]\n"}, "setup.cfg", False),
        ({"requirements.in": ""}, "requirements.in", False),
        ({"requirements/base.txt": ""}, "requirements", False),
        ({"uv.lock": ""}, "uv.lock", False),
    ],
)
def test_what_is_not_installed_is_named(tmp_path: Path, files: Files, what: str, certain: bool) -> None:
    unread = found(tmp_path, files)
    assert unread is not None
    assert what in unread.what
    assert unread.what.endswith("not installed")
    assert unread.remedy.endswith("; or install them in pre_deploy")
    assert unread.certain is certain


@pytest.mark.parametrize("lock", ["poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"])
def test_a_lock_of_another_tool_that_does_not_decide_is_named(tmp_path: Path, lock: str) -> None:
    files: Files = {"pyproject.toml": '[project]\nname = "a"\ndependencies = ["django"]', lock: ""}
    unread = found(tmp_path, files)
    assert unread is not None
    assert unread.what == f"the versions in {lock} are not used: the dependencies in pyproject.toml decide"
    assert not unread.certain


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README": ""},
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": POETRY},
        {"pyproject.toml": '[project]\nname = "a"\ndynamic = ["version"]'},
        {"pyproject.toml": '[project]\nname = "a"\ndependencies = ["django"]'},
        {"pyproject.toml": POETRY + 'django = "^5"\n', "requirements.txt": "django", "poetry.lock": "", "setup.py": ""},
        {"Pipfile": '[packages]\n[dev-packages]\npytest = "*"\n'},
    ],
)
def test_otherwise_nothing_is_missing(tmp_path: Path, files: Files) -> None:
    assert found(tmp_path, files) is None
