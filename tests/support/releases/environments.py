# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real environments, built by the real pip and the real uv from packages that the tests make themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uv as uv_package
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import (
    Environment,
    Environments,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.interpreter import (
    Interpreter,
    ask_interpreter,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.spec import Spec, plan_environment
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.toml import toml_reader
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

UV = uv_package.find_uv_bin()
PYTHON = Interpreter("/usr/bin/python3.11", "3.11", "cpython-311 abi", "linux-x86_64", "3.11.2")
TOOLS = ("uv", "pip")
read_toml = toml_reader(sys.executable, run_command)

Files = dict[str, "str | bytes"]
MakeRelease = Callable[[Files], Path]


def plan(release: Path) -> Spec:
    """Return the environment that a release asks for, which must be one."""
    spec = plan_environment(release, read_toml)
    assert spec is not None
    return spec


def build(environments: Environments, release: Path) -> Environment:
    return environments.ensure(plan(release), release)


def made_by(tool: str, envs: Path, index: Path | str | None = None) -> Environments:
    """Return environments that are built by uv or by pip."""
    made = Environments(
        envs, ask_interpreter(sys.executable, run_command), run_command, UV, str(index) if index else None
    )
    return made if tool == "uv" else replace(made, uv=None)


def version_in(path: Path, name: str = "tiny") -> str:
    """Ask the environment's own Python for the version of a package in it."""
    result = run_command([str(path / "bin" / "python"), "-c", f"import {name}; print({name}.VERSION)"])
    assert result.rc == 0, result.err
    return result.out.strip()


def make_server_bare(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing of what pip and uv are set to on this machine, and no uv on the PATH."""
    home.mkdir(exist_ok=True)
    for name in [*filter(lambda name: name.startswith(("PIP_", "UV_", "XDG_")), os.environ), "VIRTUAL_ENV"]:
        monkeypatch.delenv(name, raising=False)
    own = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home)}
    for name, value in {**own, "NO_PROXY": "127.0.0.1", "UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)
    kept = [entry for entry in os.environ["PATH"].split(os.pathsep) if not (Path(entry) / "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))
