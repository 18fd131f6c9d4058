# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: words in, a Plan out. Reads no file, except to complete the names of projects.

As in the original the project comes first: `deploy [options] PROJECT [COMMAND | REF]`. click gives the parsers, the
help and the completion for bash, zsh and fish.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from . import output, stopping
from .errors import FAILED, OUTPUT_FAILED, CommandError
from .plan import PROGRAM, Options, Plan

F = TypeVar("F", bound=Callable[..., Any])
COMPLETE_VARIABLE = "_DEPLOY_COMPLETE"
SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
VERBATIM = {**SETTINGS, "ignore_unknown_options": True, "allow_interspersed_args": False}


class Count(click.ParamType):  # type: ignore[type-arg]  # older versions of click take no argument here
    """A whole number of 1 or more."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Return the number of a word."""
        text = str(value)
        if not text.isdecimal() or not int(text):
            self.fail(f"{text} is not a whole number of 1 or more.", param, ctx)
        return int(text)


COUNT = Count()
# From here on a word may be a misspelt command: two letters changed places, one is missing or too many.
LIKENESS = 0.8


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keep an option that every command takes, wherever it stands; the last one counts, lists grow."""
    kept = context.ensure_object(dict)
    if not value or parameter.name is None:
        return
    kept[parameter.name] = (*kept.get(parameter.name, ()), *value) if isinstance(value, tuple) else value


def _option(*names: str, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401
    return click.option(*names, expose_value=False, callback=_remember, **settings)


# What every command takes, in the order of the help.
COMMON = (
    _option("-C", "--chdir", metavar="PATH", type=click.Path(path_type=Path), help="Start in this directory."),
    _option("-c", "--config", metavar="FILE", type=click.Path(path_type=Path), help="projects.yml or deploy.conf."),
    _option("--server", "servers", metavar="NAME", multiple=True, help="Only this server; may be given several times."),
)
JSON = _option("--json", is_flag=True, help="Print the results as JSON.")
# What every command that runs a playbook takes.
PLAYED = (
    *COMMON,
    _option("--check", is_flag=True, help="Show what would change, and change nothing."),
    _option("--diff", is_flag=True, help="Show the commits and settings that change."),
    JSON,
    _option("-K", "--ask-become-pass", is_flag=True, help="Ask for the password of sudo."),
    _option("--ask-vault-pass", is_flag=True, help="Ask for the password of vaulted values."),
    _option("-e", "--extra-vars", metavar="VARS", multiple=True, help="More variables for Ansible."),
    _option("-v", "--verbose", count=True, help="Show more of what Ansible does; -vv more of it."),
)
# What the commands take that put a release live.
LIVE: tuple[Callable[[Any], Any], ...] = (
    click.option("-T", "--no-tests", is_flag=True, help="Leave out the test hook."),
    click.option("--no-hooks", is_flag=True, help="Leave out all hooks, which a former release may have no files for."),
    click.option("--force", is_flag=True, help="Also what is live already, and work that is not pushed."),
    click.option("--at-once", type=COUNT, metavar="N", help="How many servers switch at the same time."),
    click.option("--keep-config", is_flag=True, help="Deploy code alone, with the settings that serve."),
    *PLAYED,
)


def common(decorators: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """Add the options to a command."""

    def add(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return add


def options(context: click.Context) -> Options:
    """Return what was given of the options that every command takes."""
    kept = context.ensure_object(dict)
    passed = [f"--{name.replace('_', '-')}" for name in ("ask_become_pass", "ask_vault_pass") if kept.get(name)]
    passed += [word for extra in kept.get("extra_vars", ()) for word in ("-e", extra)]
    passed += [f"-{'v' * kept['verbose']}"] if kept.get("verbose") else []
    names = ("chdir", "config", "servers", "check", "diff", "json")
    return Options(**{name: kept[name] for name in names if name in kept}, passed=tuple(passed))


def project_of(context: click.Context) -> str:
    """Return the project, which is the first word."""
    return str(context.ensure_object(dict).get("project", ""))


def known_projects(context: click.Context) -> list[str]:
    """Return the names of the projects, for completion: what cannot be read completes nothing."""
    from . import files  # noqa: PLC0415  a command that only prints help reads no file

    kept = context.ensure_object(dict)
    try:
        return files.project_names(files.require(Path(kept.get("chdir") or "."), kept.get("config")))
    except (CommandError, OSError):
        return []


class ProjectCommands(click.Group):
    """The commands of a project, of which a word that is none is a ref to deploy."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click passes it
        """Return the commands in the order of the help."""
        return list(self.commands)


class Root(ProjectCommands):
    """The first word is a project, or one of the few commands without one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first one or two words name, and the rest."""
        first, *rest = args
        if first in self.commands:
            if first in project.commands and rest and not rest[0].startswith("-"):
                raise click.UsageError(f"{first} comes after the project: {PROGRAM} {rest[0]} {first}", ctx)
            return super().resolve_command(ctx, args)
        if first.startswith("-"):
            raise click.UsageError("An option comes before the project, or after the command.", ctx)
        ctx.ensure_object(dict)["project"] = first
        named = project.get_command(ctx, rest[0]) if rest else None
        if named:
            return f"{first} {rest[0]}", named, rest[1:]
        return first, deploy, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete projects, `all`, and the commands without a project."""
        names = [name for name in [*known_projects(ctx), "all"] if name.startswith(incomplete)]
        return [*map(CompletionItem, names), *super().shell_complete(ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands of a project before those without one."""
        shown = [(f"{name} {usage(command)}".strip(), command) for name, command in project.commands.items()]
        shown = [("[REF]", deploy), *shown]
        with formatter.section("Commands of a project (deploy PROJECT ...), or of `all`"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in shown])
        with formatter.section("Commands without a project (deploy ...)"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in self.commands.items()])


def usage(command: click.Command) -> str:
    """Return the arguments of a command, for the list of commands."""
    return " ".join(
        one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)
    )


def _complete_word(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in project.list_commands(context) if name.startswith(incomplete)]


def _complete_key(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema  # noqa: PLC0415

    return [key for key in schema.known("project") if key.startswith(incomplete)]


def _play(context: click.Context, playbook: str, **variables: object) -> Plan:
    given = {name: value for name, value in variables.items() if value is not None}
    return Plan(project_of(context), playbook, given, options=options(context))


def _live(*, no_tests: bool, no_hooks: bool, force: bool, at_once: int | None, keep_config: bool) -> dict[str, object]:
    """Return the variables for the options LIVE."""
    settings = {"project_test": "" if no_tests else None, "config": "keep" if keep_config else None}
    return {"force": force or None, "at_once": at_once, "hooks": False if no_hooks else None, **settings}


def _view(context: click.Context, view: str, **settings: Any) -> Plan:  # noqa: ANN401  they are those of Plan
    return Plan(project_of(context), view=view, options=options(context), **settings)


@click.group(
    cls=Root, context_settings=SETTINGS, subcommand_metavar="PROJECT [COMMAND | REF]", options_metavar="[OPTIONS]"
)
@common(PLAYED)
@click.version_option(None, "-V", "--version", package_name="onetouch-deploy", message="%(version)s")
def root() -> None:
    """Put a commit of a project live on its servers, and take it back.

    deploy blog · deploy blog v1.2 · deploy blog revert 3 · deploy status
    """


@click.group(cls=ProjectCommands)
def project() -> None:
    """Hold the commands that come after a project."""


@click.command(context_settings=SETTINGS)
@click.argument("ref", required=False, shell_complete=_complete_word)
@common(LIVE)
@click.pass_context
def deploy(ctx: click.Context, /, ref: str | None, **live: Any) -> Plan:  # noqa: ANN401  those of LIVE
    """Deploy a branch, a tag or a commit; by default the key `ref`, or the newest tag."""
    if ref in project.commands:
        first = f"{PROGRAM} {project_of(ctx)} {ref}"
        raise click.UsageError(f"{ref} is a command, and comes right after the project: {first}", ctx)
    return replace(_play(ctx, "deploy", ref=ref, **_live(**live)), meant=meant(project_of(ctx), ref or ""))


def meant(first: str, ref: str) -> dict[str, str]:
    """Return the commands that may be meant where `first` is no project, and where `ref` is no ref."""
    alone, before, after = (_like(first, root.commands), _like(first, project.commands), _like(ref, project.commands))
    start = f"{PROGRAM} {alone}" if alone and not ref else f"{PROGRAM} {ref or 'PROJECT'} {before}" if before else ""
    found = {"project": start, "ref": f"{PROGRAM} {first} {after}" if after else ""}
    return {kind: command for kind, command in found.items() if command}


def _like(word: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(word, known, 1, LIKENESS)), "")


@project.command(context_settings=SETTINGS)
@common(PLAYED)
@click.pass_context
def setup(ctx: click.Context) -> Plan:
    """Make the servers ready: once, and when a deploy asks for it."""
    return _play(ctx, "setup")


@project.command(context_settings=SETTINGS)
@click.argument("steps", required=False, type=COUNT, metavar="[N]")
@click.option("--to", metavar="COMMIT", help="Go back to this commit, one that has been live.")
@common(LIVE)
@click.pass_context
def revert(ctx: click.Context, /, steps: int | None, to: str | None, **live: Any) -> Plan:  # noqa: ANN401
    """Put live what was live N deploys before, one by default."""
    if steps and to:
        raise click.UsageError("Give either N or --to, not both.", ctx)
    return _play(ctx, "revert", steps=steps, to=to, **_live(**live))


@project.command(context_settings=SETTINGS)
@common(PLAYED)
@click.option("--at-once", type=COUNT, metavar="N", help="How many servers restart at the same time.")
@click.pass_context
def restart(ctx: click.Context, at_once: int | None) -> Plan:
    """Replace the workers by new ones of the same release."""
    return _play(ctx, "restart", at_once=at_once)


@project.command("status", context_settings=SETTINGS)
@common(PLAYED)
@click.pass_context
def project_status(ctx: click.Context) -> Plan:
    """Show what is live on each server."""
    return _play(ctx, "status")


@project.command("doctor", context_settings=SETTINGS)
@common(PLAYED)
@click.pass_context
def project_doctor(ctx: click.Context) -> Plan:
    """Report what is in the way, and what to do about it."""
    return _play(ctx, "doctor")


def _commits(name: str, text: str) -> None:
    """Add a command that shows commits of the log."""

    @project.command(name, context_settings=SETTINGS, help=text)
    @click.option("-n", "--limit", "lines", type=COUNT, metavar="N", help="At most so many, the newest.")
    @common(PLAYED)
    @click.pass_context
    def show(ctx: click.Context, lines: int | None) -> Plan:
        return _view(ctx, name, playbook="history", lines=lines)


_commits("list", "List the commits that went live, oldest first.")
_commits("current", "Print the commit that is live.")
_commits("previous", "Print the commit that was live before.")
_commits("history", "Show every attempt: when, who, what, how long, and how it ended.")


@project.command("exec", context_settings=VERBATIM)
@common(PLAYED)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.pass_context
def execute(ctx: click.Context, command: tuple[str, ...]) -> Plan:
    """Run a command in the live release, on every server.

    It has the app's variables, and the release's Python environment first in its PATH. Its words are passed as they
    are, without a shell. Options come before it.
    """
    return _view(ctx, "exec", playbook="exec", variables={"argv": list(command)}, words=command)


@project.command(context_settings=SETTINGS)
@common(COMMON)
@click.pass_context
def console(ctx: click.Context) -> Plan:
    """Open a shell in the live release, on the first server."""
    return _view(ctx, "console")


@project.command(context_settings=SETTINGS)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--limit", "lines", type=COUNT, metavar="N", default=50, help="So many lines; 50 by default.")
@common(COMMON)
@click.pass_context
def logs(ctx: click.Context, lines: int, *, follow: bool) -> Plan:
    """Show what procmon and the app wrote, on all servers."""
    return _view(ctx, "logs", lines=lines, follow=follow)


@project.command(context_settings=SETTINGS)
@click.argument("key", required=False, shell_complete=_complete_key)
@common((*COMMON, JSON))
@click.pass_context
def config(ctx: click.Context, key: str | None) -> Plan:
    """Print the project's section, or the value of one key."""
    return _view(ctx, "config", words=(key,) if key else ())


@project.command(context_settings=SETTINGS)
@click.option("--data", is_flag=True, help="Remove the project's directory as well: releases, clone and uploads.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common(PLAYED)
@click.pass_context
def remove(ctx: click.Context, *, data: bool, yes: bool) -> Plan:
    """Take the project from its servers."""
    name = project_of(ctx)
    return replace(_play(ctx, "remove", data=data or None, confirm=name if yes else None), yes=yes)


@root.command(context_settings=SETTINGS)
@common(PLAYED)
@click.pass_context
def status(ctx: click.Context) -> Plan:
    """Show every project on every server."""
    return _play(ctx, "status")


@root.command(context_settings=SETTINGS)
@common(PLAYED)
@click.pass_context
def doctor(ctx: click.Context) -> Plan:
    """Report what is in the way of any project."""
    return _play(ctx, "doctor")


@root.command(context_settings=SETTINGS)
@click.argument("directory", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--deploy-conf", metavar="FILE", type=click.Path(path_type=Path), help="Take over the original's file.")
@common(PLAYED)
@click.pass_context
def init(ctx: click.Context, directory: Path, deploy_conf: Path | None) -> Plan:
    """Write a control repository into a directory, by default this one."""
    return _play(ctx, "init", directory=directory, deploy_conf=deploy_conf)


@root.command(context_settings=SETTINGS)
@click.argument("shell", type=click.Choice([*SHELLS]))
def completion(shell: str) -> None:
    """Print the completion of a shell, such as eval "$(deploy completion bash)"."""
    click.echo(SHELLS[shell](root, {}, PROGRAM, COMPLETE_VARIABLE).source())


def parse(words: Sequence[str]) -> Plan | int:
    """Return what the words ask for; an exit code when it has been done already, as --help.

    Raises click.ClickException for words that make no command, SystemExit where the reader of the help has left.
    """
    result = root.main(list(words), PROGRAM, COMPLETE_VARIABLE, standalone_mode=False)
    return result if isinstance(result, Plan) else int(result or 0)


def main(words: Sequence[str] | None = None) -> int:
    """Carry out a command line, and return the exit code."""
    given = sys.argv[1:] if words is None else words
    printed: output.Watched | None = None
    try:
        with stopping.handled():
            output.require_open()
            printed = output.watch()
            code = _carry_out(given, printed)
            sys.stdout.flush()
            return code
    except stopping.Stopped as end:
        return end.code
    except CommandError as error:
        output.report(str(error))
        return error.code
    except (OSError, SystemExit) as error:
        if not printed or not printed.error or (error is not printed.error and isinstance(error, OSError)):
            raise
        output.drop()
        if not printed.failure:
            # `| head` has read enough.
            return 0
        output.report(str(printed.failure))
        return OUTPUT_FAILED


def _carry_out(words: Sequence[str], printed: output.Watched) -> int:
    """Carry out a command line. With --json there is a document however it ends, unless it cannot be `printed`."""
    from . import commands  # noqa: PLC0415  completion and help do without

    try:
        plan = parse(words)
    except click.ClickException as error:
        with suppress(OSError):  # as in output.report
            error.show()
        return _refuse(error.exit_code, error.format_message(), json=wants_json(words))
    if isinstance(plan, int):
        return plan
    try:
        return commands.carry_out(plan)
    except CommandError as error:
        output.report(str(error))
        return _refuse(error.code, str(error), json=plan.options.json)
    except stopping.Stopped as end:
        return _refuse(end.code, str(end), json=plan.options.json)
    except OSError as error:
        if error is printed.error:
            raise
        message = unusable(error)
        output.report(message)
        return _refuse(FAILED, message, json=plan.options.json)


def unusable(error: OSError) -> str:
    """Return what a file of this machine is the reason for."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
    return f"{where}{error.strerror or error}. Correct that on this machine, and run it again."


def _refuse(code: int, message: str, *, json: bool) -> int:
    """Print the document of --json for what was not carried out, and return the exit code."""
    if json:
        from . import results  # noqa: PLC0415  as above

        print(results.as_json(code, (), [message]))
    return code


def wants_json(words: Sequence[str]) -> bool:
    """Return whether words that make no command ask for JSON: those of a command of `exec` do not count."""
    own = [*takewhile(lambda word: word != "exec", words)]
    own += takewhile(lambda word: word.startswith("-") and word != "--", words[len(own) + 1 :])
    return "--json" in own
