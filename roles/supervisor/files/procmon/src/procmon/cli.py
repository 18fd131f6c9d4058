# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: its parser, `run` and `check`. What talks to a procmon that runs is in `client`."""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import BUILD, __version__, client
from .config import Config, ConfigError, load
from .core.supervisor import Supervisor
from .master import lock, upgrade
from .master.handover import Handover, HandoverError, check_identity, from_json, restore, serving_config
from .master.listener import ListenError, describe, open_listener, resolve_address, take_over
from .master.master import Master, MasterResources
from .master.output import Output, OutputHandler, is_journal
from .master.release import ReleaseError, ReleaseMissingError, resolve
from .owner import become_owner

USER_ERRORS = (ConfigError, HandoverError, ListenError, lock.LockError, ReleaseError, client.ClientError)

CHANGING = (client.reload, client.upgrade, client.stop)
"""They touch files and signal processes that the configuration names."""

INTERNAL = ["check-handover", "adopt-check"]
"""Not for people: one command, and what procmon 0.1.0 calls it."""

log = logging.getLogger("procmon")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names; return its exit status."""
    # The name of a release may be bytes that are not text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser(sys.argv[1:] if argv is None else argv).parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        if command in CHANGING:
            become_owner(arguments.config)
        return command(arguments)
    except USER_ERRORS as error:
        print(f"procmon: {error}", file=sys.stderr)
    except OSError as error:
        print(f"procmon: {describe_os_error(error)}", file=sys.stderr)
    return 1


def describe_os_error(error: OSError) -> str:
    """Put an error of the system into one line that names the file, where there is one."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


COMMANDS: Sequence[tuple[str, Callable[[argparse.Namespace], int], str]] = (
    ("reload", client.reload, "reload the workers by touching the restart file"),
    (
        "upgrade",
        client.upgrade,
        "replace the running procmon with this version and configuration, without dropping connections",
    ),
    ("status", client.status, "show running instances"),
    ("stop", client.stop, "stop gracefully: let requests finish, and wait for the end"),
)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="procmon", description="Supervise uvicorn workers.")
    parser.add_argument("--version", action="version", version=f"procmon {__version__} ({BUILD})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("run", run, "serve in the foreground until SIGTERM; SIGHUP reloads, SIGUSR2 upgrades"),
        ("check", check, "validate a configuration file"),
        *COMMANDS,
    ):
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        one.set_defaults(command=command)
        optional = {"nargs": "?"} if name == "status" else {}
        one.add_argument("config", metavar="CONFIG", type=Path, help="TOML file", **optional)  # type: ignore[arg-type]
        if name == "run":
            # `--adopt` is what procmon 0.1.0 calls it when it upgrades to this one.
            one.add_argument("--handover-fd", "--adopt", metavar="FD", type=int, help=argparse.SUPPRESS)
        if name in ("reload", "upgrade"):
            one.add_argument("--wait", action="store_true", help="wait for the result; exit 1 if it failed")
        if name == "status":
            one.add_argument("--json", action="store_true", help="print JSON")
    if argv and argv[0] in INTERNAL:
        _add_check_handover(commands)
    return parser


def _add_check_handover(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command by which a running procmon tries this one."""
    one = commands.add_parser(INTERNAL[0], aliases=INTERNAL[1:])
    one.set_defaults(command=check_handover)
    one.add_argument("config", type=Path)


# -- run --------------------------------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """Serve."""
    _open_standard_descriptors()
    upgrade.block_signals()
    output = Output()
    logging.basicConfig(level=logging.INFO, handlers=[OutputHandler(output, journal=is_journal(2, os.environ))])
    for library in ("httpx", "httpcore", "watchfiles", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        return _serve(arguments.config.absolute(), output, arguments.handover_fd)
    finally:
        output.close()


def _open_standard_descriptors() -> None:
    """Open those of 0 to 2 that are closed: a socket of ours would get the number, and output would go there."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        os.set_inheritable(fd, True)
    os.close(fd)


def _serve(path: Path, output: Output, handover_fd: int | None) -> int:
    if handover_fd is None:
        config, handover = load(path), None
    else:
        config, handover = _read_handover(path, upgrade.read_handover(handover_fd))
    for warning in config.warnings:
        log.warning("%s: %s", path, warning)
    resources = _take_resources(path, config, handover)

    async def master() -> int:
        output.attach(asyncio.get_running_loop())
        if handover is not None and (unwritten := handover.files.get("output")) is not None:
            output.write(upgrade.read_handover(unwritten))
        return await Master(resources, output).run(handover)

    return asyncio.run(master())


def _read_handover(path: Path, data: bytes) -> tuple[Config, Handover]:
    """Read the configuration, and `data`, which was handed over.

    Both were fine when the upgrade was checked. A file that is being edited since must not end the service:
    then what serves goes on with its own configuration.
    """
    try:
        config = load(path)
        handover = from_json(data, config)
        check_identity(handover, config)
    except (ConfigError, HandoverError) as error:
        serving = serving_config(data)
        if serving is None:
            raise
        log.error("%s; going on with the configuration of what serves", error)  # noqa: TRY400 - no traceback for the operator
        return serving, from_json(data, serving)
    return config, handover


def _take_resources(path: Path, config: Config, handover: Handover | None) -> MasterResources:
    if handover is not None:
        upgrade.close_on_exec(handover.descriptors())
        return MasterResources(path, config, take_over(handover.files["listener"]), handover.files["lock"])
    lock_fd = lock.acquire(config.state_path)
    listener = open_listener(config.bind, os.environ)
    log.info("%s: the socket is bound to %s", config.name, describe(listener))
    return MasterResources(path, config, listener, lock_fd)


# -- check ------------------------------------------------------------------------------------------------------------


def check(arguments: argparse.Namespace) -> int:
    """Read the configuration and what it leads to."""
    config = load(arguments.config)
    if not config.bind.path:
        resolve_address(config.bind)
    for warning in config.warnings:
        print(f"{arguments.config}: warning: {warning}")
    print(f"{arguments.config}: valid: {config.workers} workers of {config.app} on {config.bind}")
    try:
        release = resolve(config)
    except ReleaseMissingError as error:
        print(f"no release yet: {error}; procmon waits for it")
        return 0
    print(f"release {release.path}, commit {release.commit or 'unknown'}, Python {release.python}")
    if release.python == sys.executable and not config.python:
        print("the release has no .venv: the app would run in procmon's own environment")
    print("the app itself was not imported")
    return 0


def check_handover(arguments: argparse.Namespace) -> int:
    """Take over, without any consequence, what a running procmon would hand over on standard input."""
    config = load(arguments.config)
    restore(Supervisor(config, lambda: 0.0), from_json(sys.stdin.buffer.read(), config), config)
    return 0
