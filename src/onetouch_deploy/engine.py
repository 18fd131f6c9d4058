# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of ansible-playbook by ansible-runner, with the settings of the user and without those that runner adds."""

from __future__ import annotations

import configparser
import json
import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import playbook
from .plan import COLLECTION

CALLBACK = f"{COLLECTION}.events"
# How often events are looked at.
LOOK_SECONDS = 0.1
# Of what it printed, where it has reported nothing as an error.
LAST_LINES = 3
# Runner's own exit code for that.
KILLED = 254
HEAD = re.compile(r"(?:\x1b\[[0-9;]*m)*\[ERROR\]: ")
COLORS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Job:
    """What is to be run. `limit` is for --limit, `artifacts` a directory that gets ansible-runner's files."""

    command: str
    root: Path
    inventory: Path
    variables: Mapping[str, object] = field(default_factory=dict)
    limit: str | None = None
    check: bool = False
    artifacts: Path | None = None


@dataclass(frozen=True)
class End:
    """How Ansible has ended: `error` is what it reported as an error of its own, `last` the end of all it printed."""

    code: int
    error: str
    last: str


def run_job(job: Job, directory: Path, cancel: Callable[[], bool], output: Callable[[str], None]) -> End:
    """Run a job to its end, and return how it has ended.

    `cancel` is called some ten times per second, and returns whether Ansible is to be killed. `output` gets what
    Ansible prints.
    """
    from ansible_runner import Runner  # type: ignore[import-untyped]  # noqa: PLC0415  it takes long

    # A file, because arguments can be read by all users. Of settings, runner forgets those that are arguments.
    for name, content in (("extravars", job.variables), ("settings", {"pexpect_timeout": LOOK_SECONDS})):
        write_private(directory / "env" / name, json.dumps(content, default=str))
    errors: list[str] = []
    last: deque[str] = deque(maxlen=LAST_LINES)
    keep = job.artifacts is not None

    def handle(event: Mapping[str, Any]) -> bool:
        text = str(event.get("stdout") or "")
        if HEAD.match(text):
            errors.append(error_text(text))
        if text:
            last.append(error_text(text))
            output(text)
        return keep

    runner = Runner(prepared(job, directory), event_handler=handle, cancel_callback=cancel)
    runner.run()
    # It is None where a signal has ended Ansible.
    return End(KILLED if runner.rc is None else int(runner.rc), " ".join(errors), " ".join(last))


def prepared(job: Job, directory: Path) -> Any:  # noqa: ANN401  runner has no types
    """Return runner's configuration of a job, without what runner sets that the user has not asked for."""
    from ansible_runner import RunnerConfig  # noqa: PLC0415  it takes long

    config = RunnerConfig(
        private_data_dir=str(directory),
        project_dir=str(job.root),
        artifact_dir=str(job.artifacts or directory / "artifacts"),
        playbook=f"{COLLECTION}.{job.command}",
        inventory=str(job.inventory),
        limit=job.limit,
        cmdline="--check" if job.check else None,
        envvars=environment(job.root, directory, os.environ),
        # The user's own cache of facts, if there is one.
        fact_cache_type="",
        quiet=True,
    )
    config.prepare()
    if "ANSIBLE_HOST_KEY_CHECKING" not in os.environ:
        # Runner turns it off. What the user's ansible.cfg says counts, and otherwise host keys are checked.
        del config.env["ANSIBLE_HOST_KEY_CHECKING"]
    return config


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def error_text(text: str) -> str:
    """Return an error that Ansible has printed as one paragraph."""
    return " ".join(COLORS.sub("", HEAD.sub("", text, count=1)).split())


def environment(root: Path, directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that runner adds to those of this process; it finds ansible-playbook by PATH."""
    shown = environ.get("ANSIBLE_STDOUT_CALLBACK", playbook.CALLBACK)
    made = playbook.settings(root, environ, playbook.collections())
    names = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "LC_ALL")
    own: dict[str, str] = {name: made[name] for name in names if name in made}
    return {
        **own,
        "PATH": f"{playbook.program().parent}:{environ.get('PATH', os.defpath)}",
        "ANSIBLE_CALLBACKS_ENABLED": ",".join([*enabled_callbacks(root, environ), CALLBACK]),
        # Ours is for people, and draws over its lines.
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default" if shown == playbook.CALLBACK else shown,
        # Also what Ansible would leave if it were killed is removed with the directory.
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ONETOUCH_DEPLOY_EVENTS": str(directory / "events"),
    }


def enabled_callbacks(root: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the callback plugins that the user has enabled: the variable replaces what an ansible.cfg says."""
    text = environ.get("ANSIBLE_CALLBACKS_ENABLED")
    if text is None:
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False)
        found = playbook.user_settings(root, environ)
        if found:
            parser.read_string(found.read_text(encoding="utf-8", errors="replace"), str(found))
        text = parser.get("defaults", "callbacks_enabled", fallback="")
    return [name for name in map(str.strip, text.split(",")) if name]
