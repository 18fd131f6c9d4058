# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that talk to a running procmon: reload, upgrade, stop, status."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import BUILD, __version__
from .config import Config, ConfigError, load
from .core.reload import reload_limit_seconds
from .master import lock, status_file
from .master.release import NO_INTERPRETER
from .master.restart_file import SECOND_NS

CONFIGS = Path("/etc/procmon")
POLL_SECONDS = 0.1
START_SECONDS = 10.0
QUIET_SECONDS = 2.0
"""A command that takes longer tells a person at a terminal what it waits for."""
SYSTEMD = Path("/run/systemd/system")
PENDING = 3
"""How `upgrade` exits when the live release cannot start, but the next one may: it lacks the app or its interpreter."""


class ClientError(Exception):
    """Raised when there is no procmon to talk to, or it may not be talked to."""


# -- reload -----------------------------------------------------------------------------------------------------------


def reload(arguments: argparse.Namespace) -> int:
    """Touch the restart file, and with --wait report the result."""
    config = load(arguments.config)
    if not lock.running(config.state_path):
        raise _not_running(config)
    stamp = _request(config)
    if not arguments.wait:
        return 0
    restart = _await_answer(config, stamp)
    if restart["result"] == "ok":
        print(f"{config.name}: reloaded in {restart['seconds']:.2f} s")
        return 0
    print(f"{config.name}: reload failed: {restart['error']}", file=sys.stderr)
    return 1


def _request(config: Config) -> int:
    """Touch the restart file; return the stamp that the answer has, or a later one.

    Where the configuration names another one than before, procmon still watches the former one.
    """
    found = _read_status(config)
    stamp = _touch(config.restart_path, found["restart"]["stamp"] or 0)
    watched = Path(found.get("restart_file") or config.restart_path)
    if watched != config.restart_path:
        _touch(watched, stamp)
    return stamp


def _touch(path: Path, answered: int) -> int:
    """Touch a restart file so that its stamp is newer than what was answered; return its mtime in nanoseconds."""
    try:
        before = max(answered, path.stat().st_mtime_ns) if path.exists() else answered
        _create(path)
        os.utime(path)
        if path.stat().st_mtime_ns <= before:
            os.utime(path, ns=(before + 1, before + 1))
        if path.stat().st_mtime_ns <= before:
            # This file system keeps whole seconds.
            later = (before // SECOND_NS + 1) * SECOND_NS
            os.utime(path, ns=(later, later))
        return path.stat().st_mtime_ns
    except PermissionError as error:
        directory, user = _existing(path.parent), _user_name(os.geteuid())
        raise ClientError(
            f"restart_file: {path} cannot be touched: {error.strerror}. "
            f"{_advise(directory)}, or let {user} own {directory}"
        ) from error
    except OSError as error:
        raise ConfigError(f"restart_file: {path} cannot be touched: {error.strerror}") from error


def _create(path: Path) -> None:
    """Create the file and its directories where they are missing, so that its owner can touch it the next time."""
    for directory in reversed(path.parents):
        if not directory.exists():
            directory.mkdir()
            _give_to_owner(directory)
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o664))
        _give_to_owner(path)


def _existing(directory: Path) -> Path:
    """Return a directory, or of one that is missing the nearest above it."""
    return next(one for one in (directory, *directory.parents) if one.exists())


def _give_to_owner(path: Path) -> None:
    """Pass what root has just created to the owner of its directory."""
    if os.geteuid() == 0:
        directory = path.parent.stat()
        os.chown(path, directory.st_uid, directory.st_gid, follow_symlinks=False)


def _await_answer(config: Config, stamp: int) -> dict[str, Any]:
    """Wait for the answer to the touch `stamp`."""

    def answered(found: dict[str, Any]) -> bool:
        return bool(found["restart"]["result"]) and (found["restart"]["stamp"] or 0) >= stamp

    restart: dict[str, Any] = _await(config, answered, "reload")["restart"]
    return restart


def _await(config: Config, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Wait for the status that is `wanted`, for as long as a reload under way and the next one may take."""
    patience = 30 + 3 * reload_limit_seconds(config)
    began = time.monotonic()
    until, quiet = began + patience, True
    while time.monotonic() < until:
        if not lock.running(config.state_path):
            raise ClientError(f"{config.name} stopped before it answered. See: journalctl -u procmon@{config.name}")
        found = _read_status(config)
        if wanted(found):
            return found
        if quiet and sys.stderr.isatty() and time.monotonic() >= began + QUIET_SECONDS:
            quiet = False
            print(f"{config.name}: waiting for the {what} (state: {found['state']})", file=sys.stderr)
        time.sleep(POLL_SECONDS)
    raise ClientError(
        f"{config.name}: no {what} within {patience:g} s. See: procmon status, journalctl -u procmon@{config.name}"
    )


def _read_status(config: Config) -> dict[str, Any]:
    try:
        return status_file.read(config.state_path)
    except (OSError, ValueError) as error:
        # It may have been unable to write, as on a full disk.
        raise ClientError(
            f"{config.name} runs, but its status cannot be read: {error}. See: journalctl -u procmon@{config.name}"
        ) from error


def _not_running(config: Config) -> ClientError:
    command = f"systemctl start procmon@{config.name}" if SYSTEMD.is_dir() else "procmon run CONFIG"
    return ClientError(f"{config.name} is not running. Start it with: {command}")


# -- upgrade ----------------------------------------------------------------------------------------------------------


def upgrade(arguments: argparse.Namespace) -> int:
    """Replace the running procmon in place where it differs from this one or has read another configuration."""
    path: Path = arguments.config.absolute()
    config = load(path)
    before = _running(config)
    if before["build"] == BUILD and _is_applied(before, config.digest):
        print(f"{config.name}: already runs procmon {__version__} ({BUILD}) with this configuration")
        return 0
    _signal(config, before["pid"], signal.SIGUSR2)
    if not arguments.wait:
        return 0
    after = _await(config, lambda found: found["upgrade"]["number"] > before["upgrade"]["number"], "upgrade")
    if after["upgrade"]["result"] == "failed":
        print(
            f"{config.name}: upgrade failed, still running the current version: {after['upgrade']['error']}",
            file=sys.stderr,
        )
        return 1
    print(
        f"{config.name}: upgraded from {before['version']} ({before['build']}) to {after['version']} ({after['build']})"
    )
    return _report_reload(config, before["restart"])


def _is_applied(found: dict[str, Any], digest: str) -> bool:
    """Return whether procmon has read that configuration, and what serves was started with it."""
    active = found.get("active_config_digest")
    if active is None:
        # A first generation that has failed is tried again, where there is a release to start it from.
        failed = found["restart"]["result"] == "failed" and found["state"] != "waiting"
        return found.get("config_digest") == digest and not failed
    return bool(found["config_digest"] == active == digest)


def _report_reload(config: Config, before: dict[str, Any]) -> int:
    """Wait for the reload that a changed configuration leads to, and report how it ended."""
    after = _await(config, lambda found: found["state"] not in ("reloading", "booting"), "reload")
    restart = after["restart"]
    if restart["result"] != "failed" or (restart == before and _is_applied(after, config.digest)):
        return 0
    serving = after.get("active_app")
    if serving not in (None, config.app):
        print(
            f"{config.name}: {config.app} does not start from the live release, which still serves {serving}. "
            f"Deploy a release that has it: {restart['error']}",
            file=sys.stderr,
        )
        return PENDING
    if NO_INTERPRETER in restart["error"]:
        print(
            f"{config.name}: the live release cannot start: {restart['error'].strip()}. "
            "Deploy it again: that builds its environment",
            file=sys.stderr,
        )
        return PENDING
    print(f"{config.name}: reload failed: {restart['error']}", file=sys.stderr)
    return 1


def _running(config: Config) -> dict[str, Any]:
    """Return the status of the procmon that runs, once it has written one."""
    until = time.monotonic() + START_SECONDS
    while lock.running(config.state_path) and time.monotonic() < until:
        written = (config.state_path / status_file.NAME).exists()
        found = status_file.read(config.state_path) if written else {"pid": 0}
        if found["pid"] == lock.owner_pid(config.state_path):
            if "upgrade" in found:
                return found
            raise ClientError(f"{config.name} runs procmon {found['version']}, which cannot be upgraded: restart it")
        time.sleep(POLL_SECONDS)
    raise _not_running(config)


def _signal(config: Config, pid: int, number: int) -> None:
    file = config.state_path / lock.NAME
    owner = file.stat().st_uid
    # Root may ask, and what it reads there belongs to a user who may not signal others.
    if Path(f"/proc/{pid}").stat().st_uid != owner:
        raise ClientError(f"{file} names pid {pid}, which runs as another user than the file's owner")
    try:
        os.kill(pid, number)
    except PermissionError:
        raise ClientError(f"{config.name} runs as {_user_name(owner)}. {_advise(file)}") from None


def _advise(path: Path) -> str:
    owner = path.stat().st_uid
    return f"Run this command as {_user_name(owner)}"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


# -- stop -------------------------------------------------------------------------------------------------------------


def stop(arguments: argparse.Namespace) -> int:
    """Send SIGTERM to the running procmon alone, and wait for its end; nothing to do where none runs."""
    config = load(arguments.config)
    pid = lock.owner_pid(config.state_path) if lock.running(config.state_path) else 0
    if pid:
        pidfd = os.pidfd_open(pid)
        _signal(config, pid, signal.SIGTERM)
        select.select([pidfd], [], [])
        os.close(pidfd)
    print(f"{config.name}: {'stopped' if pid else 'was not running'}")
    return 0


# -- status -----------------------------------------------------------------------------------------------------------


def status(arguments: argparse.Namespace) -> int:
    """Print what each procmon reports about itself; exit 1 when one does not serve."""
    paths = [arguments.config] if arguments.config else sorted(CONFIGS.glob("*.toml"))
    if not paths:
        raise ConfigError(f"no configuration in {CONFIGS}. Give one, such as: procmon status blog.toml")
    found = [_status(path) for path in paths]
    if arguments.json:
        print(json.dumps(found[0] if arguments.config else found, indent=2))
    else:
        print("\n".join(line for one in found for line in _format(one)))
    return 0 if all(one["state"] in ("serving", "reloading") for one in found) else 1


def _status(path: Path) -> dict[str, Any]:
    """Read one status; whatever is wrong with it must not hide the others."""
    try:
        config = load(path)
        running = lock.running(config.state_path)
        return status_file.read(config.state_path) if running else {"name": config.name, "state": "stopped"}
    except (ConfigError, OSError, ValueError) as error:
        return {"name": path.stem, "state": "unknown", "error": str(error)}


def _format(found: dict[str, Any]) -> list[str]:
    if "workers" not in found:
        return [f"{found['name']:<16} {found['state']:<10} {found.get('error', '')}".rstrip()]
    commit = (found["commit"] or "")[:12] or "-"
    lines = [
        f"{found['name']:<16} {found['state']:<10} generation {found['generation']}  {commit}  {_heartbeat(found)}"
    ]
    lines += [f"  release {found['release']}"] if found["release"] else []
    lines += [_worker_line(worker) for worker in found["workers"]]
    lines += [f"  {line}" for line in found.get("crash_loop", "").splitlines()]
    if found["restart"]["result"] == "failed":
        lines += ["  last reload failed:", *(f"    {line}" for line in found["restart"]["error"].splitlines())]
    return lines


def _heartbeat(found: dict[str, Any]) -> str:
    heartbeat = found["heartbeat"]
    if heartbeat["milliseconds"] is None:
        return "no heartbeat yet"
    last = f"heartbeat {heartbeat['status'] or 'failed'} in {heartbeat['milliseconds']:.1f} ms"
    failures, reloads = heartbeat["failures"], heartbeat["reloads"]
    return f"{last}, {failures} failures, {reloads} reloads" if failures else last


def _worker_line(worker: dict[str, Any]) -> str:
    age = max(0.0, time.time() - worker["started"])
    mebibytes = worker["rss_bytes"] / 2**20
    return (
        f"  pid {worker['pid']:<8} {worker['state']:<10} generation {worker['generation']:<4} up {age:>7.0f} s"
        f"  {worker['requests']:>8} requests  {worker['in_flight']:>4} in flight  {mebibytes:>6.1f} MiB"
    )
