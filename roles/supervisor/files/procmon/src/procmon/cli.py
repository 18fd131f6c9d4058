# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands: run, check, reload, upgrade, stop, status."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__, heap, lock, status, successor
from .build import BUILD
from .config import Config, ConfigError, identify, load
from .core import Core
from .handover import Handover, HandoverError, from_json, restore
from .listener import ListenError, inherited, open_listener
from .loop import Master, Seat
from .output import Output, OutputHandler, is_journal
from .release import ReleaseError, ReleaseMissingError, resolve

CONFIGS = Path("/etc/procmon")
LOOK_SECONDS = 0.1
SIGNAL_SECONDS = 10.0
USER_ERRORS = (ConfigError, HandoverError, ListenError, lock.LockError, ReleaseError)


class NotRunningError(Exception):
    """Raised when there is no procmon to talk to."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names; return its exit status."""
    # The name of a release need be no text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except (*USER_ERRORS, NotRunningError) as error:
        print(f"procmon: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="procmon", description="Supervise uvicorn workers.")
    parser.add_argument("--version", action="version", version=f"procmon {__version__} ({BUILD})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("run", run, "serve in the foreground until SIGTERM; SIGHUP reloads, SIGUSR2 upgrades"),
        ("check", check, "say whether a configuration can be used"),
        ("adopt-check", adopt_check, "say whether the state on standard input can be taken over"),
        ("reload", reload, "touch the restart file"),
        ("upgrade", upgrade, "let this procmon, and CONFIG as it is now, take the place of what runs"),
        ("status", show, "tell what runs"),
        ("stop", stop, "let what runs finish its requests and end, and wait for that"),
    ):
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        one.set_defaults(command=command)
        optional = {"nargs": "?"} if command is show else {}
        one.add_argument("config", metavar="CONFIG", type=Path, help="TOML file", **optional)  # type: ignore[arg-type]
        if command is run:
            one.add_argument("--adopt", metavar="FD", type=int, help=argparse.SUPPRESS)
        if command in (reload, upgrade):
            one.add_argument("--wait", action="store_true", help="until it is done; exit 1 when it failed")
        if command is show:
            one.add_argument("--json", action="store_true", help="for programs")
    return parser


# -- run and check ----------------------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """Serve."""
    successor.block_signals()
    output = Output()
    logging.basicConfig(level=logging.INFO, handlers=[OutputHandler(output, journal=is_journal(2, os.environ))])
    handed = None if arguments.adopt is None else from_json(successor.read_handover(arguments.adopt))
    return _serve(arguments.config.absolute(), output, handed)


def _serve(path: Path, output: Output, handed: Handover | None) -> int:
    settings, config = identify(path), load(path)
    if handed is None:
        lock_fd = lock.take(config.state_path)
        seat = Seat(path, config, settings, open_listener(config.bind, os.environ), lock_fd)
    else:
        successor.keep_to_ourselves(handed.descriptors())
        seat = Seat(path, config, settings, inherited(handed.files["listener"]), handed.files["lock"])
    heap.give_back()
    return Master(seat, output).run(handed)


def check(arguments: argparse.Namespace) -> int:
    """Read the configuration and what it leads to."""
    config = load(arguments.config)
    print(f"{arguments.config}: fine: {config.workers} workers of {config.app} on {config.bind}")
    try:
        release = resolve(config)
    except ReleaseMissingError as error:
        print(f"no release yet: {error}; procmon waits for it")
        return 0
    print(f"release {release.path}, commit {release.commit or 'unknown'}, Python {release.python}")
    return 0


def adopt_check(arguments: argparse.Namespace) -> int:
    """Take over, without any consequence, what a running procmon would leave."""
    restore(Core(load(arguments.config), lambda: 0.0), from_json(sys.stdin.buffer.read()))
    return 0


# -- reload -----------------------------------------------------------------------------------------------------------


def reload(arguments: argparse.Namespace) -> int:
    """Touch the restart file, and with --wait see what comes of it."""
    config = load(arguments.config)
    if not lock.running(config.state_path):
        raise NotRunningError(f"{config.name} is not running; start it: systemctl start procmon@{config.name}")
    stamp = _touch(config)
    if not arguments.wait:
        return 0
    restart = _await_answer(config, stamp)
    if restart["result"] == "ok":
        print(f"{config.name}: reloaded in {restart['seconds']:.2f} s")
        return 0
    print(f"{config.name}: reload failed: {restart['error']}", file=sys.stderr)
    return 1


def _touch(config: Config) -> int:
    path = config.restart_path
    answered = _read_status(config)["restart"]["stamp"] or 0
    try:
        path.touch()
        if path.stat().st_mtime_ns <= answered:
            # The clock was set back: an answer is known by its stamp, so this touch must be younger than the last.
            os.utime(path, ns=(answered + 1, answered + 1))
        return path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"restart_file: {path} cannot be touched: {error.strerror}") from error


def _await_answer(config: Config, stamp: int) -> dict[str, Any]:
    """Wait for the answer to the touch `stamp`."""

    def answered(found: dict[str, Any]) -> bool:
        return bool(found["restart"]["result"]) and (found["restart"]["stamp"] or 0) >= stamp

    restart: dict[str, Any] = _await(config, answered, "reload")["restart"]
    return restart


def _await(config: Config, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Wait for the status that is `wanted`, for as long as a reload under way and the next one may take."""
    patience = 30 + 3 * (config.reload.boot_timeout_seconds + _rolling_seconds(config))
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if not lock.running(config.state_path):
            raise NotRunningError(f"{config.name} stopped before it answered")
        found = _read_status(config)
        if wanted(found):
            return found
        time.sleep(LOOK_SECONDS)
    raise NotRunningError(
        f"{config.name}: no {what} within {patience:g} s; see: procmon status, journalctl -u procmon@{config.name}"
    )


def _read_status(config: Config) -> dict[str, Any]:
    try:
        return status.read(config.state_path)
    except (OSError, ValueError) as error:
        # It may have been unable to write, as on a full disk.
        raise NotRunningError(f"{config.name} runs, but its status cannot be read: {error}") from error


def _rolling_seconds(config: Config) -> float:
    if config.reload.surge == "all":
        return 0.0
    return config.workers * (config.reload.boot_timeout_seconds + config.reload.drain_timeout_seconds)


# -- upgrade ----------------------------------------------------------------------------------------------------------


def upgrade(arguments: argparse.Namespace) -> int:
    """Have the running procmon replaced in place where it differs from this one or has read another configuration."""
    path: Path = arguments.config.absolute()
    config = load(path)
    before = _running(config)
    if before["build"] == BUILD and _has_taken(before, identify(path)):
        print(f"{config.name}: already runs procmon {__version__} ({BUILD}) with this configuration")
        return 0
    _signal(config, before["pid"], signal.SIGUSR2)
    if not arguments.wait:
        return 0
    after = _await(config, lambda found: found["upgrade"]["number"] > before["upgrade"]["number"], "upgrade")
    if after["upgrade"]["result"] == "failed":
        print(f"{config.name}: upgrade failed, the old procmon goes on: {after['upgrade']['error']}", file=sys.stderr)
        return 1
    print(
        f"{config.name}: upgraded from {before['version']} ({before['build']}) to {after['version']} ({after['build']})"
    )
    return _report_reload(config, before["restart"], identify(path))


def _has_taken(found: dict[str, Any], settings: str) -> bool:
    """Say whether procmon has read that configuration, and what serves was started by it."""
    if found["active_settings"] is None:
        # A first generation that has failed is tried again, where there is a release to start it from.
        failed = found["restart"]["result"] == "failed" and found["state"] != "waiting"
        return found["settings"] == settings and not failed
    return bool(found["settings"] == found["active_settings"] == settings)


def _signal(config: Config, pid: int, number: int) -> None:
    # Root may ask, and what it reads there belongs to somebody who may not signal others.
    file = config.state_path / lock.NAME
    if Path(f"/proc/{pid}").stat().st_uid != file.stat().st_uid:
        raise NotRunningError(f"{file} names pid {pid}, which is somebody else's")
    os.kill(pid, number)


def _running(config: Config) -> dict[str, Any]:
    """Ask the procmon that runs what it is, once it has come so far as to say it."""
    until = time.monotonic() + SIGNAL_SECONDS
    while lock.running(config.state_path) and time.monotonic() < until:
        found = status.read(config.state_path) if (config.state_path / status.NAME).exists() else {"pid": 0}
        if found["pid"] == lock.holder(config.state_path):
            if "upgrade" in found:
                return found
            raise NotRunningError(
                f"{config.name} runs procmon {found['version']}, which cannot be upgraded: restart it"
            )
        time.sleep(LOOK_SECONDS)
    raise NotRunningError(f"{config.name} is not running; start it: systemctl start procmon@{config.name}")


def _report_reload(config: Config, before: dict[str, Any], settings: str) -> int:
    """Wait for the reload that a changed configuration leads to, and tell how it ended."""
    after = _await(config, lambda found: found["state"] not in ("reloading", "booting"), "reload")
    restart = after["restart"]
    if restart["result"] != "failed" or (restart == before and _has_taken(after, settings)):
        return 0
    print(f"{config.name}: reload failed: {restart['error']}", file=sys.stderr)
    return 1


# -- stop -------------------------------------------------------------------------------------------------------------


def stop(arguments: argparse.Namespace) -> int:
    """Send SIGTERM to the running procmon alone, and wait for its end; nothing to do where none runs."""
    config = load(arguments.config)
    pid = lock.holder(config.state_path) if lock.running(config.state_path) else 0
    if pid:
        pidfd = os.pidfd_open(pid)
        _signal(config, pid, signal.SIGTERM)
        select.select([pidfd], [], [])
        os.close(pidfd)
    return 0


# -- status -----------------------------------------------------------------------------------------------------------


def show(arguments: argparse.Namespace) -> int:
    """Print what each asked procmon says about itself; exit 1 when one does not serve."""
    paths = [arguments.config] if arguments.config else sorted(CONFIGS.glob("*.toml"))
    if not paths:
        raise ConfigError(f"no configuration in {CONFIGS}: name one")
    found = [_status(path) for path in paths]
    if arguments.json:
        print(json.dumps(found[0] if arguments.config else found, indent=2))
    else:
        print("\n".join(line for one in found for line in _lines(one)))
    return 0 if all(one["state"] in ("serving", "reloading") for one in found) else 1


def _status(path: Path) -> dict[str, Any]:
    """Ask one procmon; whatever is wrong with it must not hide the others."""
    try:
        config = load(path)
        running = lock.running(config.state_path)
        return status.read(config.state_path) if running else {"name": config.name, "state": "stopped"}
    except (ConfigError, OSError, ValueError) as error:
        return {"name": path.stem, "state": "unknown", "error": str(error)}


def _lines(found: dict[str, Any]) -> list[str]:
    if "workers" not in found:
        return [f"{found['name']:<16} {found['state']:<10} {found.get('error', '')}".rstrip()]
    commit = (found["commit"] or "")[:12] or "-"
    lines = [f"{found['name']:<16} {found['state']:<10} generation {found['generation']}  {commit}  {_beat(found)}"]
    lines += [_worker_line(worker) for worker in found["workers"]]
    lines += [f"  {line}" for line in found["trouble"].splitlines()]
    if found["restart"]["result"] == "failed":
        lines += ["  last reload failed:", *(f"    {line}" for line in found["restart"]["error"].splitlines())]
    return lines


def _beat(found: dict[str, Any]) -> str:
    beat = found["heartbeat"]
    if beat["milliseconds"] is None:
        return "no heartbeat yet"
    well = f"heartbeat {beat['status'] or 'failed'} in {beat['milliseconds']:.1f} ms"
    return f"{well}, {beat['failures']} failures, {beat['reloads']} reloads" if beat["failures"] else well


def _worker_line(worker: dict[str, Any]) -> str:
    age = max(0.0, time.time() - worker["started"])
    mebibytes = worker["rss_bytes"] / 2**20
    return (
        f"  pid {worker['pid']:<8} {worker['state']:<10} generation {worker['generation']:<4} up {age:>7.0f} s"
        f"  {worker['requests']:>8} requests  {worker['in_flight']:>4} in flight  {mebibytes:>6.1f} MiB"
    )
