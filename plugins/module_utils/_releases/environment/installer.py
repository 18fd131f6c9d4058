# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The command lines of uv and pip, and what to do when they fail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .interpreter import Interpreter
from .spec import LOCK, PROJECT, Spec

# pip reads no pyproject.toml for its dependencies alone. Its own TOML reader serves Python 3.9 and 3.10.
EXTRACT = """
import sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as project, open(sys.argv[1], "w") as requirements:
    requirements.write("\\n".join(tomllib.load(project)["project"]["dependencies"]))
"""

HINTS = (
    (r"ensurepip|No module named '?venv", "install the package python{version}-venv (Debian, Ubuntu), or uv"),
    (r"No space left on device", "free some space: environments that no release uses can go"),
    (
        r"Connection(?:Error| refused)|Failed to establish|name resolution|dns error|timed out|error sending request",
        "see that the server reaches its package index; PIP_* and UV_* variables and pip.conf are honoured",
    ),
    (
        r"No matching distribution|No solution found|was not found in the package registry|Invalid requirement"
        r"|[Ff]ailed to parse|Couldn't parse",
        "mend the requirements: the output says which",
    ),
    (
        r"gcc|error: command .* failed|Python\.h",
        "install what the package needs to be compiled, or choose one with a wheel",
    ),
)


def commands(spec: Spec, path: Path, python: Interpreter, uv: str | None) -> list[list[str]]:
    """List the commands that build the environment at `path`, to be run in the release; pip's where `uv` is None."""
    inside = str(path / "bin" / "python")
    if uv and spec.lead == LOCK:
        sync = [uv, "sync", "--frozen", "--no-dev", "--no-install-project", "--compile-bytecode"]
        return [[*sync, "--python", python.path]]
    if uv:
        install = [uv, "pip", "install", "--compile-bytecode", "--python", inside]
        return [[uv, "venv", "--python", python.path, str(path)], [*install, "-r", spec.lead]]
    install = [inside, "-m", "pip", "install", "-r"]
    if spec.lead == PROJECT:
        extracted = str(path / "requirements.txt")
        return [venv(path, python), [inside, "-c", EXTRACT, extracted], [*install, extracted]]
    return [venv(path, python), [*install, spec.lead]]


def uv_commands(path: Path, python: Interpreter) -> list[list[str]]:
    """List the commands that put uv itself into an environment of its own at `path`."""
    return [venv(path, python), [str(path / "bin" / "python"), "-m", "pip", "install", "uv"]]


def venv(path: Path, python: Interpreter) -> list[str]:
    """Write the command that makes an empty environment with pip in it."""
    return [python.path, "-m", "venv", str(path)]


def settings(envs: Path, path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what uv and pip need to know on top of `environ`, the user's own settings.

    The caches stand beside the environments: a service account seldom has a home it may write to, and on one file
    system uv links instead of copying.
    """
    caches = {"UV_CACHE_DIR": str(envs / ".cache" / "uv"), "PIP_CACHE_DIR": str(envs / ".cache" / "pip")}
    return {
        **{name: value for name, value in caches.items() if name not in environ},
        "UV_PROJECT_ENVIRONMENT": str(path),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def hint_for(output: str, python: Interpreter) -> str:
    """Say what to do about the failed build that wrote `output`."""
    for pattern, hint in HINTS:
        if re.search(pattern, output):
            return hint.format(version=python.version)
    return "see what the output asks for; nothing that is live has changed"
