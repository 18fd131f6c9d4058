# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands as functions: what was asked for is checked, then Ansible runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from ansible_collections.onetouch.deploy.plugins.plugin_utils._command import COMMANDS

from . import checking, files, known, output, playbook
from .engine import Job
from .errors import ArgumentError
from .events import Event, Output
from .outcome import Outcome
from .plan import host_pattern, require_no_template
from .runs import Run

WITHOUT_CONFIGURATION = frozenset({"init", "demo"})
OF_ALL_PROJECTS = frozenset({"status", "doctor"})


class Options(TypedDict, total=False):
    """What every function takes that waits for the end.

    `config` is a projects.yml, a deploy.conf, or a directory from which one is looked for upwards; by default the
    current one. `servers` limits the run to these. With `check` nothing is changed. `artifacts` is a directory for the
    files of ansible-runner, which are removed otherwise. `on_event` is called for each event, in the thread that
    called the function.
    """

    config: str | Path | None
    servers: Sequence[str]
    check: bool
    artifacts: str | Path | None
    on_event: Callable[[Event], object] | None


@dataclass(frozen=True)
class Asked:
    """The options of a run, with their defaults."""

    config: str | Path | None = None
    servers: Sequence[str] = ()
    check: bool = False
    artifacts: str | Path | None = None
    on_event: Callable[[Event], object] | None = None
    on_output: Callable[[str], object] | None = None


def deploy(  # noqa: PLR0913  each has a name at the call
    project: str,
    ref: str | None = None,
    *,
    force: bool = False,
    at_once: int | None = None,
    test: bool = True,
    hooks: bool = True,
    keep_config: bool = False,
    **options: Unpack[Options],
) -> Outcome:
    """Deploy a branch, a tag or a commit: by default the key `ref`, or the newest tag.

    `project` may be several, separated by commas, or "all". `force` deploys also what is live already. `at_once` is how
    many servers switch at the same time. Without `test` the test hook is left out, without `hooks` all of them, with
    `keep_config` only code changes.
    """
    live = _live(force=force, at_once=at_once, test=test, hooks=hooks, keep_config=keep_config)
    return _wait("deploy", project, {"ref": _name("ref", ref), **live}, options)


def revert(  # noqa: PLR0913  as above
    project: str,
    steps: int | None = None,
    *,
    to: str | None = None,
    force: bool = False,
    at_once: int | None = None,
    test: bool = True,
    hooks: bool = True,
    keep_config: bool = False,
    **options: Unpack[Options],
) -> Outcome:
    """Make live what was live `steps` deploys before, one by default; or the commit `to`."""
    checking.require(steps=steps)
    if steps is not None and to is not None:
        raise ArgumentError("Both steps and to were given. Give one of them.")
    live = _live(force=force, at_once=at_once, test=test, hooks=hooks, keep_config=keep_config)
    return _wait("revert", project, {"steps": steps, "to": _name("to", to), **live}, options)


def restart(project: str, *, at_once: int | None = None, **options: Unpack[Options]) -> Outcome:
    """Replace the workers by new ones of the same release."""
    checking.require(at_once=at_once)
    return _wait("restart", project, {"at_once": at_once}, options)


def setup(project: str, **options: Unpack[Options]) -> Outcome:
    """Make the servers ready for a project."""
    return _wait("setup", project, {}, options)


def status(project: str = "all", **options: Unpack[Options]) -> Outcome:
    """Ask what is live."""
    return _wait("status", project, {}, options)


def run(  # noqa: PLR0913  as above
    command: str,
    project: str = "",
    *,
    config: str | Path | None = None,
    servers: Sequence[str] = (),
    check: bool = False,
    artifacts: str | Path | None = None,
    on_event: Callable[[Event], object] | None = None,
    on_output: Callable[[str], object] | None = None,
    **variables: object,
) -> Outcome:
    """Run any playbook, such as `run("exec", "blog", argv=["./manage.py", "migrate"])`, and wait for its end.

    `variables` are those of the playbook. `on_output` gets each piece of what Ansible prints.
    """
    asked = Asked(config, servers, check, artifacts, on_event, on_output)
    return _follow(_start(command, project, variables, asked), asked)


def start(  # noqa: PLR0913  as above
    command: str,
    project: str = "",
    *,
    config: str | Path | None = None,
    servers: Sequence[str] = (),
    check: bool = False,
    artifacts: str | Path | None = None,
    **variables: object,
) -> Run:
    """Begin what `run` does, and return it while it is under way: it can be followed and cancelled."""
    return _start(command, project, variables, Asked(config, servers, check, artifacts))


def _live(*, force: bool, at_once: int | None, test: bool, hooks: bool, keep_config: bool) -> dict[str, object]:
    """Return the variables of what makes a release live."""
    checking.require(force=force, at_once=at_once, test=test, hooks=hooks, keep_config=keep_config)
    settings = {"project_test": None if test else "", "config": "keep" if keep_config else None}
    return {"force": force or None, "at_once": at_once, "hooks": None if hooks else False, **settings}


def _name(name: str, value: str | None) -> str | None:
    """Refuse an empty text, which Ansible would take for no value at all."""
    checking.require(**{name: value})
    if value is not None and not value.strip():
        raise ArgumentError(f"{name} is empty. Leave it out, or name a commit.")
    return value


def _wait(command: str, project: str, variables: Mapping[str, object], options: Options) -> Outcome:
    """Run a playbook with those of `variables` that are set."""
    given = {name: value for name, value in variables.items() if value is not None}
    asked = Asked(**options)
    return _follow(_start(command, project, given, asked), asked)


def _follow(begun: Run, asked: Asked) -> Outcome:
    """Pass the events of a run on, and return its outcome. What a function raises cancels the run."""
    with begun:
        for event in begun:
            if asked.on_event:
                asked.on_event(event)
            if asked.on_output and isinstance(event, Output):
                asked.on_output(event.text)
    return begun.wait()


def _start(command: str, project: str, variables: Mapping[str, object], asked: Asked) -> Run:
    """Begin a run of what was asked for. Raises CommandError for what can be seen to be wrong."""
    checking.require(command=command, project=project, **vars(asked))
    checking.require_plain(variables)
    _require_command(command, project, variables)
    require_no_template({"project": project, **variables})
    servers = (asked.servers,) if isinstance(asked.servers, str) else tuple(asked.servers)
    # ansible-runner needs one, whatever the configuration is.
    files.current_directory()
    found = _found(Path(asked.config or "."))
    known.require(found, project, servers)
    playbook.program()
    output.open_closed()
    return Run(
        Job(
            command=command,
            root=found.root,
            inventory=files.inventory(found),
            variables={**({"project": project} if project else {}), **variables},
            limit=host_pattern(project, servers),
            check=asked.check,
            artifacts=Path(asked.artifacts).absolute() if asked.artifacts else None,
        )
    )


def _require_command(command: str, project: str, variables: Mapping[str, object]) -> None:
    """Raise ArgumentError for a command that there is not, or that lacks something."""
    known = sorted(COMMANDS.keys() - WITHOUT_CONFIGURATION)
    if command not in known:
        raise ArgumentError(f"There is no command {command!r}. The commands are {', '.join(known)}.")
    if not project and command not in OF_ALL_PROJECTS:
        raise ArgumentError(f"{command} needs a project, and none was given. Name one, several with commas, or all.")
    if command == "remove" and variables.get("confirm") != project:
        raise ArgumentError(f"remove was not confirmed. Repeat the project's name: confirm={project!r}.")


def _found(path: Path) -> files.Found:
    if path.is_dir():
        return files.require(path.resolve(), None)
    return files.require(path.resolve().parent, path.resolve())
