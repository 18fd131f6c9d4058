# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What pip and uv are set to on the server: what decides the content of an environment, and what is set aside.

The settings of the server are honoured: an index, a proxy, certificates, constraints. Set aside are those that would
have an installation end elsewhere or do something else, and, where the project names its index, all other sources of
packages. To leave single settings out, pip gets all of its settings as variables, and uv gets copies of its files.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ReleaseError
from ..system.redaction import without_credentials
from .toml import Table, TomlReader, dump

DECIDING_VARIABLES = re.compile(
    r"(?:PIP|UV)_(?:.*INDEX.*|FIND_LINKS|CONSTRAINT|BUILD_CONSTRAINT|OVERRIDE|EXCLUDE|PRE|PRERELEASE|RESOLUTION"
    r"|EXCLUDE_NEWER|FORK_STRATEGY|NO_BINARY|ONLY_BINARY|NO_BUILD|NO_DEPS|NO_SOURCES|TORCH_BACKEND)"
)
# Their values are paths of files.
FILE_VARIABLES = re.compile(r"(?:PIP|UV)_(?:(?:BUILD_)?CONSTRAINT|OVERRIDE|EXCLUDE|CONFIG_FILE)")
# The sections of pip.conf that count for `pip install`, the stronger one last.
PIP_SECTIONS = ("global", "install")

SOURCES = frozenset({"index", "index-url", "extra-index-url", "find-links", "no-index", "default-index"})
# They install elsewhere, with another Python, something else, or nothing.
PIP_SET_ASIDE = frozenset(
    {
        *("user", "target", "prefix", "root", "python", "require-virtualenv"),
        *("dry-run", "no-compile", "no-install", "editable", "requirement", "group"),
    }
)
UV_SET_ASIDE = frozenset(
    {"target", "prefix", "system", "python", "break-system-packages", "python-preference", "python-downloads"}
)
UV_VARIABLES_SET_ASIDE = (
    *("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
    *("UV_MANAGED_PYTHON", "UV_NO_MANAGED_PYTHON", "UV_PYTHON_PREFERENCE", "UV_BREAK_SYSTEM_PACKAGES", "UV_TARGET"),
    *("UV_VENV_RELOCATABLE", "UV_VENV_CLEAR", "UV_LOCKED", "UV_FROZEN", "UV_DEV", "UV_NO_DEV", "UV_NO_GROUP"),
    *("UV_NO_DEFAULT_GROUPS", "UV_NO_EDITABLE", "UV_NO_INSTALL_PROJECT", "UV_NO_INSTALL_LOCAL", "UV_NO_PROJECT"),
    *("UV_NO_INSTALL_WORKSPACE", "UV_NO_SYNC", "UV_ISOLATED", "UV_COMPILE_BYTECODE", "UV_PREFIX"),
)
UV_SOURCE_VARIABLES = ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS")
# The value of a link mode that is set aside: what is linked from the cache is gone when the cache is cleared.
SYMLINK = "symlink"
PYTHON_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONSAFEPATH", "VIRTUAL_ENV", "CONDA_PREFIX")

Variables = dict[str, "str | None"]
"""Variables of a program; None for one that is removed."""


def deciding_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that decide which packages are installed and where from, without passwords, which change."""
    chosen = {name: value for name, value in environ.items() if _decides(name)}
    return {name: without_credentials(value) for name, value in sorted(chosen.items())}


def settings_files(environ: Mapping[str, str]) -> list[str]:
    """Return the files in which pip and uv look for their settings, and those that variables name; few exist."""
    named = [
        path for name, value in sorted(environ.items()) if FILE_VARIABLES.fullmatch(name) for path in value.split()
    ]
    return [*_pip_system_files(environ), *_pip_user_files(environ), *_uv_files(environ), *named]


def digests(environ: Mapping[str, str], release: Path) -> dict[str, str]:
    """Return a hash of each such file that exists, as it is when seen from `release`; passwords do not count."""
    found = ((path, release / path) for path in settings_files(environ))
    return {name: _digest(path) for name, path in found if path.is_file() and os.access(path, os.R_OK)}


def pip_variables(environ: Mapping[str, str], *, own_index: bool) -> Variables:
    """Return the variables by which pip has the settings of the server, but for what is set aside.

    With `own_index` the server's sources of packages are set aside, too.
    """
    aside = PIP_SET_ASIDE | SOURCES if own_index else PIP_SET_ASIDE
    removed: Variables = {_pip_variable(name): None for name in aside}
    kept = {name: value for name, value in _pip_settings(environ).items() if name not in aside}
    from_files = {_pip_variable(name): value for name, value in kept.items()}
    theirs = {name: environ[name] for name in from_files if environ.get(name)}
    return {**from_files, **theirs, **removed, "PIP_CONFIG_FILE": os.devnull}


def uv_variables(environ: Mapping[str, str], scratch: Path, read_toml: TomlReader, *, own_index: bool) -> Variables:
    """Return the variables by which uv has the settings of the server, but for what is set aside.

    uv reads copies of its files below `scratch`. With `own_index` the server's sources of packages are set aside, too.
    """
    aside = UV_SET_ASIDE | SOURCES if own_index else UV_SET_ASIDE
    removed: Variables = dict.fromkeys([*UV_VARIABLES_SET_ASIDE, *(UV_SOURCE_VARIABLES if own_index else ())])
    if environ.get("UV_LINK_MODE") == SYMLINK:
        removed["UV_LINK_MODE"] = None
    for place, path in (("user", _uv_user_file(environ)), ("system", _uv_system_file(environ))):
        _copy_settings(path, scratch / place / "uv" / "uv.toml", aside, read_toml)
    _link_others(_config_home(environ), scratch / "user")
    named = environ.get("UV_CONFIG_FILE")
    if named and Path(named).is_file():
        _copy_settings(Path(named), scratch / "uv.toml", aside, read_toml)
        removed["UV_CONFIG_FILE"] = str(scratch / "uv.toml")
    return {**removed, **_config_places(environ, scratch / "user", scratch / "system")}


def uv_without_settings(environ: Mapping[str, str], scratch: Path) -> Variables:
    """Return the variables by which uv has no settings but the release's; empty files are put below `scratch`."""
    (scratch / "none" / "uv").mkdir(parents=True, exist_ok=True)
    (scratch / "none" / "uv" / "uv.toml").touch()
    removed: Variables = {name: None for name in environ if name.startswith("UV_") and name != "UV_CACHE_DIR"}
    return {**removed, **_config_places(environ, scratch / "none", scratch / "none")}


def python_variables() -> Variables:
    """Return what no Python inherits here: it would look elsewhere for its modules."""
    return dict.fromkeys(PYTHON_VARIABLES)


def _decides(name: str) -> bool:
    return DECIDING_VARIABLES.fullmatch(name) is not None and "PASSWORD" not in name


def _config_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/"), ".config"))


def _pip_system_files(environ: Mapping[str, str]) -> list[str]:
    return [f"{place}/pip/pip.conf" for place in _config_directories(environ)] + ["/etc/pip.conf"]


def _pip_user_files(environ: Mapping[str, str]) -> list[str]:
    return [f"{environ.get('HOME', '/')}/.pip/pip.conf", str(_config_home(environ) / "pip" / "pip.conf")]


def _uv_files(environ: Mapping[str, str]) -> list[str]:
    return [
        "/etc/uv/uv.toml",
        *(f"{place}/uv/uv.toml" for place in _config_directories(environ)),
        str(_uv_user_file(environ)),
    ]


def _uv_user_file(environ: Mapping[str, str]) -> Path:
    return _config_home(environ) / "uv" / "uv.toml"


def _uv_system_file(environ: Mapping[str, str]) -> Path:
    places = [Path(place, "uv", "uv.toml") for place in _config_directories(environ)]
    return next((path for path in places if path.is_file()), Path("/etc/uv/uv.toml"))


def _config_directories(environ: Mapping[str, str]) -> list[str]:
    return [place for place in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep) if place]


def _config_places(environ: Mapping[str, str], user: Path, system: Path) -> Variables:
    """Return the variables by which uv finds its files below `user` and `system`: the first one that exists counts."""
    return {
        "XDG_CONFIG_HOME": str(user),
        "XDG_CONFIG_DIRS": os.pathsep.join([str(system), *_config_directories(environ)]),
    }


def _link_others(home: Path, copy: Path) -> None:
    """Show in `copy` what else is in the directory of the user's settings: those of git, for example."""
    for entry in home.iterdir() if home.is_dir() and os.access(home, os.R_OK | os.X_OK) else ():
        if entry.name != "uv":
            (copy / entry.name).symlink_to(entry.resolve())


def _pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the files of pip's settings say, as pip reads them."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return {}
    # A file that a variable names takes the place of the user's.
    users = [named] if Path(named).is_file() else _pip_user_files(environ)
    files = [*_pip_system_files(environ), *users]
    merged: dict[str, dict[str, str]] = {section: {} for section in PIP_SECTIONS}
    for section, name, value in (entry for path in files for entry in _entries(Path(path))):
        merged[section][name] = value
    return {**merged["global"], **merged["install"]}


def _entries(path: Path) -> Iterator[tuple[str, str, str]]:
    if not (path.is_file() and os.access(path, os.R_OK)):
        return
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    for section in filter(parser.has_section, PIP_SECTIONS):
        for name, value in parser.items(section):
            yield section, name.lower().replace("_", "-"), value


def _unreadable(path: Path, error: Exception) -> ReleaseError:
    reason = str(error).splitlines()[0]
    return ReleaseError(f"{path} cannot be read: {reason}", "correct it: pip takes its settings from there")


def _pip_variable(name: str) -> str:
    return "PIP_" + name.upper().replace("-", "_")


def _copy_settings(path: Path, copy: Path, aside: frozenset[str], read_toml: TomlReader) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    readable = path.is_file() and os.access(path, os.R_OK)
    copy.write_text(dump(_without(read_toml(path), aside)) if readable else "", encoding="utf-8")


def _without(data: Table, aside: frozenset[str]) -> dict[str, Any]:
    pip = data.get("pip")
    inner = {"pip": _without(pip, aside)} if isinstance(pip, dict) else {}
    return {name: value for name, value in {**data, **inner}.items() if name not in aside and value != SYMLINK}


def _digest(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()
