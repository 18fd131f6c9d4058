# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project on a server: runs the module's work on it and looks at what is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases import options, states
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import ProjectPaths
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.project import Project
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history as log
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.report import Report

from tests.support.releases.upstream import Upstream, git

COLLECTIONS = Path(__file__).parents[3] / "collections"
CALL = "from ansible_collections.onetouch.deploy.plugins.modules.{module} import main; main()"
DEADLINE = 30.0


@dataclass
class Failure:
    """How a run failed: the error, and what was known by then."""

    error: ReleaseError
    report: Report

    @property
    def text(self) -> str:
        return str(self.error)


@dataclass(frozen=True)
class Site:
    """The project `blog` under `path`, deployed from `upstream`."""

    path: Path
    upstream: Upstream

    @property
    def paths(self) -> ProjectPaths:
        return ProjectPaths(self.path)

    def options(self, **changed: object) -> dict[str, object]:
        common: dict[str, object] = {"name": "blog", "path": str(self.path), "repo": str(self.upstream.url), "by": "tj"}
        return {**common, **changed}

    def project(self, **changed: object) -> Project:
        defaults = {name: option.get("default") for name, option in options.argument_spec().items()}
        return Project(options.read({**defaults, **self.options(**changed)}))

    def run(self, **changed: object) -> Report:
        project = self.project(**changed)
        states.execute(project, check=False)
        return project.report

    def check(self, **changed: object) -> Report:
        """Run in check mode."""
        project = self.project(**changed)
        states.execute(project, check=True)
        return project.report

    def deploy(self, ref: str = "master", **changed: object) -> Report:
        return self.run(state="deployed", ref=ref, **changed)

    def revert(self, **changed: object) -> Report:
        return self.run(state="reverted", **changed)

    def fail(self, **changed: object) -> Failure:
        """Run what is expected to fail."""
        project = self.project(**changed)
        try:
            states.execute(project, check=False)
        except ReleaseError as error:
            return Failure(error, project.report)
        raise AssertionError(f"did not fail: {project.report.msg}")

    def module(self, **changed: object) -> dict[str, Any]:
        """Run the real module in a process of its own, as Ansible does, and return its answer."""
        return _answer(self.start(**changed))

    def info(self, **changed: object) -> dict[str, Any]:
        """Ask the real `releases_info`."""
        common: dict[str, object] = {"name": "blog", "path": str(self.path)}
        return _answer(start_module("releases_info", {**common, **changed}))

    def start(self, **changed: object) -> subprocess.Popen[str]:
        return start_module("releases", self.options(**changed))

    def exit_code(self, **changed: object) -> int:
        """Run the real module to its end, which may be a violent one."""
        process = self.start(**changed)
        process.communicate(timeout=DEADLINE)
        return process.returncode

    @property
    def version(self) -> str:
        """What is live, as the app would say it."""
        return (self.paths.current / "VERSION").read_text(encoding="utf-8").strip()

    @property
    def live(self) -> str:
        return git(self.paths.current, "rev-parse", "HEAD")

    @property
    def logged(self) -> list[str]:
        return log.read_deploys(self.paths.deploys)

    @property
    def outcomes(self) -> list[str]:
        return [entry["outcome"] for entry in log.read_journal(self.paths.journal)]

    def consistent(self) -> bool:
        """Return whether `current`, the last line of the log and the HEAD of `source` agree."""
        source = git(self.paths.source, "rev-parse", "HEAD")
        return source == self.live and log.same(self.logged[-1], self.live) and not self.paths.state.exists()

    def snapshot(self) -> dict[str, tuple[int, int, str]]:
        """Describe what there is below `path`, so that any change shows; what git keeps for itself is left out."""
        return {str(path): _mark(path) for path in sorted(self.path.rglob("*")) if self._is_seen(path)}

    def _is_seen(self, path: Path) -> bool:
        git = self.paths.source / ".git"
        return git not in path.parents and path not in {self.paths.lock, git}


def start_module(module: str, given: dict[str, object]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CALL.format(module=module)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    process.stdin.close()
    process.stdin = None
    return process


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=DEADLINE)
    assert out, err
    answered: dict[str, Any] = json.loads(out)
    return answered


def _mark(path: Path) -> tuple[int, int, str]:
    status = path.lstat()
    return status.st_mtime_ns, status.st_ino, str(path.readlink()) if path.is_symlink() else ""
