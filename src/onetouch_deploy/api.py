# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks from Python, over ansible-runner."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import files, playbook
from .plan import COLLECTION, host_pattern
from .results import Result, from_event


@dataclass(frozen=True)
class Outcome:
    """How a run ended: Ansible's exit code, and the last result of each server in the order of their arrival."""

    code: int
    results: list[Result] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return self.code == 0


def run(  # noqa: PLR0913  each has a name at the call
    command: str,
    project: str = "",
    *,
    config: str | Path | None = None,
    servers: tuple[str, ...] = (),
    check: bool = False,
    on_output: Callable[[str], None] | None = None,
    **variables: object,
) -> Outcome:
    """Run the playbook `command` for `project`, such as `run("deploy", "blog", ref="v1.2")`.

    `config` is a projects.yml, a deploy.conf, or a directory from which one is looked for upwards; by default the
    current one. `on_output` gets each piece of Ansible's output. Ctrl-C kills Ansible, and the code is not 0; what a
    server has begun it completes or takes back by itself. Raises CommandError when there is no configuration.
    """
    import ansible_runner  # type: ignore[import-untyped]  # noqa: PLC0415  it takes longer than all the rest

    found = _found(Path(config or "."))
    results: list[Result] = []
    with _signals_kept(), tempfile.TemporaryDirectory(prefix="deploy-") as directory:
        ended = ansible_runner.run(
            private_data_dir=directory,
            project_dir=str(found.root),
            playbook=f"{COLLECTION}.{command}",
            inventory=str(files.inventory(found)),
            extravars={**({"project": project} if project else {}), **variables},
            limit=host_pattern(project, servers),
            cmdline="--check" if check else None,
            envvars=_envvars(found.root),
            event_handler=lambda event: _handle(event, results, on_output),
            quiet=True,
        )
    return Outcome(ended.rc, _last_of_each_server(results))


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore what Ctrl-C does: runner leaves a handler of its own behind, which only ends runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def _found(path: Path) -> files.Found:
    if path.is_dir():
        return files.require(path.resolve(), None)
    return files.require(path.resolve().parent, path.resolve())


def _envvars(root: Path) -> Mapping[str, str]:
    """Return the variables that runner adds to those of this process; it finds ansible-playbook by PATH."""
    own = playbook.settings(root, os.environ, playbook.collections())
    return {**own, "PATH": f"{playbook.program().parent}:{os.environ.get('PATH', os.defpath)}"}


def _handle(event: Mapping[str, Any], results: list[Result], on_output: Callable[[str], None] | None) -> None:
    result = from_event(event)
    if result:
        results.append(result)
    if on_output and event.get("stdout"):
        on_output(event["stdout"])


def _last_of_each_server(results: list[Result]) -> list[Result]:
    return list({result.host: result for result in results}.values())
