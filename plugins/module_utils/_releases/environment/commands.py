# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The command lines that make an environment, by uv or by pip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .index import uv_arguments
from .interpreter import Interpreter

Commands = list[list[str]]


def from_lock(uv: str, python: Interpreter) -> Commands:
    """List the commands that make an environment from the uv.lock of a release, to be run in the release."""
    sync = [uv, "sync", "--frozen", "--no-dev", "--no-install-project", "--compile-bytecode"]
    return [[*sync, "--python", python.path]]


def export_lock(uv: str, python: Interpreter, file: Path) -> list[str]:
    """Return the command that writes the versions and hashes of uv.lock to a requirements file."""
    export = [uv, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-header"]
    return [*export, "--output-file", str(file), "--python", python.path]


def from_requirements(
    requirements: Sequence[str], path: Path, python: Interpreter, uv: str | None, index: str | None
) -> Commands:
    """List the commands that make an environment with `requirements`, arguments of `pip install`, at `path`."""
    inside = str(path / "bin" / "python")
    if uv:
        install = [uv, "pip", "install", "--compile-bytecode", "--python", inside, *uv_arguments(index)]
        return [[uv, "venv", "--python", python.path, str(path)], [*install, *requirements]]
    return [[python.path, "-m", "venv", str(path)], [inside, "-m", "pip", "install", *requirements]]


def check_lock(uv: str, python: Interpreter) -> list[str]:
    """Return the command that fails where uv.lock does not match pyproject.toml. It asks no index."""
    return [uv, "lock", "--locked", "--offline", "--python", python.path]


def fixed_variables(envs: Path, path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what uv and pip need to know on top of `environ`, the user's own variables.

    The caches are next to the environments: a service account often has no home that it may write to, and on one file
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
