# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which settings of the server pip and uv get, and which are set aside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import server_settings
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

from tests.support.releases.environments import read_toml

PIP_CONF = """
[global]
timeout = 5
index-url = https://a.example/simple
user = true
[install]
Timeout = 7
find_links =
    /srv/a
    /srv/b
target = /srv/elsewhere
[list]
format = columns
"""


def pip_variables(home: Path, *, own_index: bool, **variables: str) -> dict[str, str]:
    """Return what pip gets from files and by force, without what /etc/pip.conf of this machine says."""
    common = {"XDG_CONFIG_DIRS": "/nonexistent"}
    machine = server_settings.pip_variables({**common, "HOME": "/nonexistent"}, own_index=own_index)
    given = server_settings.pip_variables({**common, "HOME": str(home), **variables}, own_index=own_index)
    assert given["PIP_CONFIG_FILE"] == os.devnull
    return {name: value for name, value in given.items() if value is not None and machine.get(name) is None}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(PIP_CONF)
    return tmp_path


def test_what_is_meant_is_passed_to_pip(home: Path) -> None:
    given = pip_variables(home, own_index=False)
    assert given.pop("PIP_FIND_LINKS").split() == ["/srv/a", "/srv/b"]
    expected = {"PIP_TIMEOUT": "7", "PIP_INDEX_URL": "https://a.example/simple"}
    assert given == expected


def test_a_variable_is_stronger_than_a_file(home: Path) -> None:
    assert pip_variables(home, own_index=False, PIP_TIMEOUT="9")["PIP_TIMEOUT"] == "9"


def test_with_an_index_of_the_project_no_other_source_is_passed(home: Path) -> None:
    given = pip_variables(home, own_index=True, PIP_EXTRA_INDEX_URL="https://b.example")
    assert given == {"PIP_TIMEOUT": "7"}


def test_a_file_that_a_variable_names_replaces_the_users(home: Path) -> None:
    (home / "other.conf").write_text("[global]\ntimeout = 3\n")
    given = pip_variables(home, own_index=False, PIP_CONFIG_FILE=f"{home}/other.conf")
    assert given == {"PIP_TIMEOUT": "3"}


def test_no_file_is_read_where_a_variable_forbids_it(home: Path) -> None:
    assert pip_variables(home, own_index=False, PIP_CONFIG_FILE=os.devnull) == {}


def test_a_broken_pip_conf_is_named(home: Path) -> None:
    (home / ".config/pip/pip.conf").write_text("timeout = 7\n")
    with pytest.raises(ReleaseError, match=r"pip\.conf cannot be read: File contains no section headers"):
        pip_variables(home, own_index=False)


UV_TOML = """
offline = false
link-mode = "symlink"
index-url = "https://a.example/simple"
python-preference = "only-managed"
[pip]
target = "/srv/elsewhere"
no-binary = ["tiny"]
find-links = ["/srv/a"]
[[index]]
name = "b"
url = "https://b.example/simple"
"""


def uv_settings(tmp_path: Path, text: str, *, own_index: bool, **variables: str) -> dict[str, object]:
    """Return what is in the copy of the user's uv.toml."""
    (tmp_path / "home/.config/uv").mkdir(parents=True)
    (tmp_path / "home/.config/uv/uv.toml").write_text(text)
    environ = {"HOME": f"{tmp_path}/home", **variables}
    given = server_settings.uv_variables(environ, tmp_path / "scratch", read_toml, own_index=own_index)
    copied = read_toml(Path(str(given["XDG_CONFIG_HOME"]), "uv", "uv.toml"))
    return dict(copied)


def test_what_is_meant_is_passed_to_uv(tmp_path: Path) -> None:
    assert uv_settings(tmp_path, UV_TOML, own_index=False) == {
        "offline": False,
        "index-url": "https://a.example/simple",
        "pip": {"no-binary": ["tiny"], "find-links": ["/srv/a"]},
        "index": [{"name": "b", "url": "https://b.example/simple"}],
    }


def test_with_an_index_of_the_project_uv_gets_no_other_source(tmp_path: Path) -> None:
    assert uv_settings(tmp_path, UV_TOML, own_index=True) == {"offline": False, "pip": {"no-binary": ["tiny"]}}


def test_other_programs_find_their_settings(tmp_path: Path) -> None:
    """git is one of them: a requirement may come from a repository."""
    (tmp_path / "home/.config/git").mkdir(parents=True)
    (tmp_path / "home/.config/git/config").write_text("[user]\n")
    assert uv_settings(tmp_path, "", own_index=False) == {}
    assert (tmp_path / "scratch/user/git/config").read_text() == "[user]\n"


def test_a_file_that_a_variable_names_is_copied_too(tmp_path: Path) -> None:
    (tmp_path / "named.toml").write_text(UV_TOML)
    environ = {"HOME": str(tmp_path), "UV_CONFIG_FILE": f"{tmp_path}/named.toml"}
    given = server_settings.uv_variables(environ, tmp_path / "scratch", read_toml, own_index=True)
    assert read_toml(Path(str(given["UV_CONFIG_FILE"]))) == {"offline": False, "pip": {"no-binary": ["tiny"]}}


def test_the_system_file_of_uv_is_copied(tmp_path: Path) -> None:
    (tmp_path / "etc/uv").mkdir(parents=True)
    (tmp_path / "etc/uv/uv.toml").write_text(UV_TOML)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": f"/nonexistent:{tmp_path}/etc"}
    given = server_settings.uv_variables(environ, tmp_path / "scratch", read_toml, own_index=True)
    first, *others = str(given["XDG_CONFIG_DIRS"]).split(os.pathsep)
    assert read_toml(Path(first, "uv", "uv.toml")) == {"offline": False, "pip": {"no-binary": ["tiny"]}}
    assert others == ["/nonexistent", f"{tmp_path}/etc"]


def test_a_lock_is_checked_without_settings_of_the_server(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "UV_PRERELEASE": "allow", "UV_CACHE_DIR": "/c", "PIP_PRE": "1"}
    given = server_settings.uv_without_settings(environ, tmp_path / "scratch")
    assert {"UV_PRERELEASE": given.pop("UV_PRERELEASE")} == {"UV_PRERELEASE": None}
    assert set(given) == {"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"}
    assert Path(str(given["XDG_CONFIG_HOME"]), "uv", "uv.toml").read_text() == ""
