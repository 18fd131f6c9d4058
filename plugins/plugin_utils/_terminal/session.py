# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a playbook: what its plays, tasks and hosts add to the screen. Private to this collection.

A play with one server shows a deploy in full, with several each has a row. Other tasks have a line when they changed
something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_failure
from ansible_collections.onetouch.deploy.plugins.plugin_utils._login_failure import Login
from ansible_collections.onetouch.deploy.plugins.plugin_utils._typed import typed

from . import deploy as single
from . import interruption
from .deploy import Deploy
from .failure import failure_lines, fitting, lost_result, message_of
from .look import in_seconds
from .progress import ProgressFile
from .screen import Screen
from .table import Row, Table, servers_text
from .text import clean, cut, pad, wrap

# How a server has ended, whatever step comes after.
FINAL = {"live", "put_back", "broken", "not_reached", "restarted", "no_app", "unreachable", "lost"}
TASK_CELLS = 60
# More of them are counted.
MAX_PLACES = 2
# What a command does to a server, for how many it has not
DONE = {"revert": "reverted", "restart": "restarted"}


class Kind(Enum):
    """What a task is to the screen.

    A step of a deploy, a question to servers, lines to print as they are, lines to print so that they fit, an exit
    code, a check whose message is all, or other.
    """

    DEPLOY = 1
    QUESTION = 2
    SUMMARY = 3
    REPORT = 4
    VERDICT = 5
    CHECK = 6
    OTHER = 7


@dataclass(frozen=True)
class Task:
    """A task. `progress` returns the file with the progress of a host; `is_last` is whether no other step follows."""

    name: str
    kind: Kind
    run: str = ""
    is_last: bool = True
    progress: Callable[[str], Path] | None = None


@dataclass
class Active:
    """A host that is under way."""

    since: float
    progress: ProgressFile | None


@dataclass
class Play:
    """The hosts of a play, each as (project, server), how to log in to them by ssh, and what has come of it.

    `waits` is whether a host waits for a person before it is ready.
    """

    hosts: Mapping[str, tuple[str, str]]
    logins: Mapping[str, Login]
    table: Table
    deploy: Deploy
    has_head: bool = False
    has_failed: bool = False
    waits: bool = False
    changes: int = 0
    others: int = 0
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class Session:
    """Draws a run of the playbook `command`, which began `age` seconds ago, on `screen`.

    `now` returns the time, `check` is whether nothing is changed.
    """

    def __init__(
        self, screen: Screen, now: Callable[[], float], *, command: str = "", check: bool = False, age: float = 0
    ) -> None:
        self.screen, self.look, self._now = screen, screen.look, now
        self._command, self._check = command, check
        self._start = now() - age
        self._play: Play | None = None
        self._head = ""
        # The hosts of plays that had nothing to change
        self._unchanged: dict[str, tuple[str, str]] = {}
        self._has_ended = self._has_finished = False
        self.task = Task("", Kind.OTHER)
        self.active: dict[str, Active] = {}

    def begin_play(self, hosts: Mapping[str, tuple[str, str]], logins: Mapping[str, Login] | None = None) -> None:
        """Begin a play on hosts; the one before has ended."""
        self.end_play()
        table = Table(self.look, {host: Row(host, Deploy(self.look)) for host in hosts})
        self._play = Play(hosts, logins or {}, table, Deploy(self.look))

    def begin_task(self, task: Task) -> None:
        """Begin a task of the play."""
        self.task = task
        self.active.clear()
        if task.kind is Kind.DEPLOY and self._play:
            self._print_head(self._play)
        self.draw()

    def begin_host(self, host: str) -> None:
        """Begin the task on a host."""
        path = self.task.progress
        progress = ProgressFile(path(host), self.task.run) if path else None
        self.active[host] = Active(self._now(), progress)
        if self.task.kind is Kind.DEPLOY and self._play and host in self._play.table.rows:
            row = self._play.table.rows[host]
            row.since = self._now() if row.since is None else row.since
        self.draw()

    def end_host(self, host: str, result: Mapping[str, Any], *, unreachable: bool = False) -> None:
        """End the task on a host."""
        play, active = self._play, self.active.get(host)
        if play is None:
            return
        self._read(host)
        self.active.pop(host, None)
        play.has_failed |= bool(result.get("failed") or unreachable)
        play.waits |= bool(result.get("waits_for"))
        if unreachable:
            started = play.deploy.has_started or play.table.rows[host].deploy.has_started
            project, server = play.hosts[host]
            hint = _login_failure.hint(str(result.get("msg")), play.logins.get(host), typed("setup", project))
            lost = lost_result(result, server, hint, started=started)
            result = {**result, **lost, "failed": True, "outcome": "lost" if started else "unreachable"}
        self._warn(host, result)
        handle = {
            Kind.DEPLOY: self._end_deploy,
            Kind.SUMMARY: self._end_summary,
            Kind.QUESTION: self._end_question,
            Kind.REPORT: self._end_summary,
            Kind.VERDICT: self._end_verdict,
            Kind.CHECK: self._end_check,
            Kind.OTHER: self._end_other,
        }
        handle[self.task.kind](play, host, result, active)
        self.draw()

    def end_play(self) -> None:
        """Print how the play has ended."""
        play, self._play = self._play, None
        self.screen.clear()
        if play:
            lines = self._last_lines(play)
            self._has_ended |= bool(lines) or play.has_failed
            self.screen.print(lines)

    def finish(self) -> None:
        """Print how the run has ended."""
        self.end_play()
        self._has_finished = True
        self._end_unchanged()

    def _end_unchanged(self) -> None:
        """Print that nothing had to change, unless plays have had their own ends. A question changes nothing anyway."""
        if self._unchanged and not self._has_ended and self._command not in interruption.QUESTIONS:
            self.screen.print([self._other_line(self._unchanged, 0, self._now() - self._start)])
            self._has_ended = True

    def print(self, lines: Sequence[str]) -> None:
        """Print lines that belong to no host."""
        self.screen.print(lines)

    def interrupt(self) -> None:
        """Print how it will end, as the last lines: Ansible is interrupted."""
        for host in [*self.active]:
            self._read(host)
        play, self._play = self._play, None
        self.screen.end()
        if not self._has_finished:
            text = self._interrupted_text(play)
            self.screen.print(wrap(text, self.look.columns) if self.look.live else [text])
        self.active.clear()
        self._has_finished = True

    def _interrupted_text(self, play: Play | None) -> str:
        if play is None:
            return interruption.NOTHING
        names = {project for project, _server in play.hosts.values()}
        project = names.pop() if len(names) == 1 else ""
        if self._check:
            return interruption.QUESTION
        if self.task.kind is not Kind.DEPLOY:
            return interruption.task_text(self._command, self.task.name, typed(self._command, project))
        status = typed("status", project)
        if self._command == "restart":
            return interruption.RESTARTS.format(status=status)
        several = len(play.hosts) > 1
        deploys = [play.table.rows[host].deploy for host in self.active] if several else [play.deploy]
        return interruption.deploy_text(deploys, status)

    def tick(self) -> None:
        """Show what has happened since."""
        for host in [*self.active]:
            self._read(host)
        self.draw()

    def draw(self) -> None:
        """Draw what is under way."""
        if self.look.live:
            self.screen.draw(self._live_lines(self._play) if self._play and self.active else [])

    def _live_lines(self, play: Play) -> list[str]:
        now, since = self._now(), min(active.since for active in self.active.values())
        if self.task.kind is Kind.DEPLOY:
            return play.deploy.live_lines(now, since) if len(play.hosts) == 1 else play.table.live_lines(now)
        done = f" ({len(play.hosts) - len(self.active)} of {len(play.hosts)})" if len(play.hosts) > 1 else ""
        spent = f"  {int(now - since)} s"
        text = cut(clean(self.task.name) + done, self.look.columns - 4 - len(spent))
        return [*self._head_lines(play), f"  {self.look.spinner(now)} {text}{self.look.paint(spent, 'dim')}"]

    def _read(self, host: str) -> None:
        """Show what the progress file of a host has."""
        active, play = self.active.get(host), self._play
        if active is None or active.progress is None or play is None:
            return
        alone = len(play.hosts) == 1
        deploy = play.deploy if alone else play.table.rows[host].deploy
        lines = [line for event in active.progress.read() for line in deploy.add(event, self._now())]
        if alone:
            self.screen.print(lines)

    def _print_head(self, play: Play) -> None:
        lines = self._head_lines(play)
        play.has_head = True
        if lines:
            self._head = lines[0]
        self.screen.print(lines)

    def _head_lines(self, play: Play) -> list[str]:
        """Return the line above a play, unless it is there already: plays of one setup have one head."""
        # A report names its hosts itself.
        if play.has_head or not play.hosts or self._command in interruption.QUESTIONS:
            return []
        if len(play.hosts) == 1:
            [(project, server)] = play.hosts.values()
            head = single.head_line(self.look, project, server, self._check) if project else ""
            return [head] if head and head != self._head else []
        if self.task.kind is not Kind.DEPLOY:
            return []
        mode = self.look.paint("  check mode: nothing is changed", "dim") if self._check else ""
        return [self.look.paint(servers_text([*play.hosts]), "bold") + mode]

    def _warn(self, host: str, result: Mapping[str, Any]) -> None:
        hosts = self._play.hosts if self._play else {}
        project, where = hosts[host][0] if hosts else "", f"{host}: " if len(hosts) > 1 else ""
        texts = [where + str(warning).removeprefix(f"{project}: ") for warning in result.get("warnings") or []]
        self.screen.print(single.warning_lines(self.look, texts))

    def _end_deploy(self, play: Play, host: str, result: Mapping[str, Any], _active: Active | None) -> None:
        play.results[host] = result
        if len(play.hosts) == 1:
            self._end_single(play, result)
            return
        row = play.table.rows[host]
        if row.is_shown:
            return
        alone = sum(project == play.hosts[host][0] for project, _server in play.hosts.values()) == 1
        if result.get("failed") or result.get("outcome") in FINAL or self.task.is_last or alone:
            self.screen.print(play.table.end(host, result, self._now()))
        else:
            row.result, row.since = result, None

    def _end_single(self, play: Play, result: Mapping[str, Any]) -> None:
        self.screen.print(play.deploy.finish(result, self._now()))
        self.screen.print(single.diff_lines(self.look, result))
        if result.get("failed"):
            took = self._now() - self._start
            self.screen.print(single.failed_lines(self.look, play.deploy, result, took))

    def _end_summary(self, play: Play, _host: str, result: Mapping[str, Any], _active: Active | None) -> None:
        # Of a rollout each server has its row already.
        if not play.results:
            self.screen.clear()
            if self.task.kind is Kind.REPORT and result.get("lines") and not result.get("failed"):
                # What comes next stands last.
                self._end_unchanged()
            lines = [clean(part) for line in result.get("lines") or [] for part in str(line).split("\n")]
            self.screen.print(fitting(self.look, lines) if self.task.kind is Kind.REPORT else lines)
        if result.get("failed"):
            self._print_reason(result)

    def _end_question(self, play: Play, host: str, result: Mapping[str, Any], active: Active | None) -> None:
        if result.get("failed"):
            self._end_other(play, host, result, active)

    def _end_verdict(self, _play: Play, _host: str, _result: Mapping[str, Any], _active: Active | None) -> None:
        """Print nothing: the table has it."""

    def _end_check(self, play: Play, host: str, result: Mapping[str, Any], _active: Active | None) -> None:
        """Print the message of a check that has failed: what its task is called says less."""
        play.others += 1
        if result.get("failed"):
            self._print_head(play)
            self._print_reason(result, f"{clean(host)}: " if len(play.hosts) > 1 else "")

    def _end_other(self, play: Play, host: str, result: Mapping[str, Any], active: Active | None) -> None:
        play.others += 1
        where = f"{clean(host)}: " if len(play.hosts) > 1 else ""
        name = where + clean(self.task.name)
        if result.get("failed") or result.get("changed"):
            self._print_head(play)
        if result.get("failed"):
            self._print_failure(cut(name, self.look.columns - 2), *failure_lines(self.look, result))
        elif result.get("changed"):
            play.changes += 1
            took = in_seconds(self._now() - active.since) if active else ""
            width = min(TASK_CELLS, self.look.columns - 16)
            line = f"{pad(cut(name, width), width)}{self.look.paint(f'{took:>10}', 'dim')}"
            self.screen.print([f"  {self.look.mark('ok')} {line}"])

    def _print_reason(self, result: Mapping[str, Any], where: str = "") -> None:
        first, *more = failure_lines(self.look, {**result, "results": [], "msg": f"{where}{message_of(result)}"})
        self._print_failure(first.strip(), *more)

    def _print_failure(self, head: str, *more: str) -> None:
        took = self.look.paint(f"  Failed after {in_seconds(self._now() - self._start)}.", "dim")
        self.screen.print([f"{self.look.mark('failed')} {self.look.paint(head, 'bold')}", *more, took])

    def _last_lines(self, play: Play) -> list[str]:
        seconds = self._now() - self._start
        if play.results and len(play.hosts) > 1:
            return [play.table.last_line(seconds, DONE.get(self._command, "deployed"))]
        if play.has_failed:
            return []
        if play.results:
            [result] = play.results.values()
            return single.last_lines(self.look, result, seconds, self._check)
        if play.others and not play.changes:
            self._unchanged |= play.hosts
        return [self._other_line(play.hosts, play.changes, seconds, "" if play.waits else "ok")] if play.changes else []

    def _other_line(self, hosts: Mapping[str, tuple[str, str]], changes: int, seconds: float, mark: str = "ok") -> str:
        words = f"{changes} change{'' if changes == 1 else 's'}" if changes else "nothing to change"
        places = [f"{clean(project)} on {clean(server)}" for project, server in hosts.values() if project]
        where = ", ".join(places) if len(places) <= MAX_PLACES else servers_text([*hosts])
        mode = " (check mode)" if self._check else ""
        text = f"{where}: {words}{mode}, {in_seconds(seconds)}" if where else f"{words}{mode}, {in_seconds(seconds)}"
        return f"{self.look.mark(mark) if mark else ' '} {cut(text, self.look.columns - 2)}"
