# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers answered: results of the collection's modules, and the failures of any task. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.onetouch.deploy.plugins.plugin_utils._answers import ANSWERS

from .errors import FAILED

if TYPE_CHECKING:
    from .settings import Configuration

NOT_REACHED = "not_reached"
# What failed apart from any server.
REFUSED = "refused"
STATUS = "onetouch.deploy.project_status"


@dataclass(frozen=True)
class Result:
    """What one task has returned for one host.

    `outcome` is ok, failed, unreachable, or skipped where its turn in a rollout did not come.
    """

    host: str
    action: str
    outcome: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.host.partition("@")[0]

    @property
    def server(self) -> str:
        return self.host.partition("@")[2]

    @property
    def ok(self) -> bool:
        """Whether it worked: a failure that a playbook ignores has no commit where there would be one."""
        if self.outcome == "skipped":
            return self.data.get("outcome") != NOT_REACHED
        return self.outcome == "ok" and (self.action != STATUS or "commit" in self.data)

    @property
    def message(self) -> str:
        return str(self.data.get("msg") or "failed without a message")


def is_answer(result: Result) -> bool:
    """Return whether a module that knows about releases has answered, with a success or a failure of its own."""
    return result.action in ANSWERS and result.outcome != "unreachable"


def from_line(line: str) -> Result:
    """Return the result in a line that the callback plugin `results` wrote."""
    entry = json.loads(line)
    return Result(entry["host"], entry["action"], entry["outcome"], entry["result"])


def answers(results: Iterable[Result]) -> list[Result]:
    """Return the last answer of each host, in the order of their names: they answer in any order."""
    last = {result.host: result for result in results if is_answer(result)}
    return [last[host] for host in sorted(last)]


def failures(results: Iterable[Result]) -> list[Result]:
    """Return what failed without being an answer: a refused command, a server that cannot be reached."""
    return [result for result in results if not is_answer(result)]


def configuration_as_json(project: str, configuration: Configuration, key: str) -> str:
    """Return the document that --json prints of a configuration, or of one key of it; null where that has no value."""
    values = {"given": configuration.given, "servers": configuration.of_servers, "defaults": configuration.defaults}
    found = {"value": configuration.value(key)} if key else values
    code = FAILED if key and found["value"] is None else 0
    result = {"project": project, "ok": not code, **({"key": key} if key else {}), **found}
    return json.dumps({"exit_code": code, "results": [result], "errors": []}, indent=2, sort_keys=True, default=str)


def as_json(code: int, results: Iterable[Result], reported: Iterable[str] = ()) -> str:
    """Return the document that --json prints. `reported` is what failed apart from any server."""
    found = list(results)
    errors = [{"host": one.host, "outcome": one.outcome, "msg": one.message} for one in failures(found)]
    document = {
        "exit_code": code,
        "results": [{"project": one.project, "server": one.server, "ok": one.ok, **one.data} for one in answers(found)],
        "errors": [*errors, *({"host": "", "outcome": REFUSED, "msg": message} for message in reported)],
    }
    return json.dumps(document, indent=2, sort_keys=True)
