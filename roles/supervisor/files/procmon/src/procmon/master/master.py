# SPDX-License-Identifier: GPL-3.0-or-later
"""The running procmon: turns what happens into events for the core, and executes its actions. It never blocks."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import gc
import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Config, ConfigError, identity_error, load
from ..core.actions import (
    Abort,
    Accept,
    Action,
    CheckUpgrade,
    Drain,
    ExecUpgrade,
    Exit,
    Kill,
    Listen,
    Log,
    Probe,
    RefuseClients,
    ResolveRelease,
    SendHeartbeat,
    Spawn,
    StopRefusing,
    Unlisten,
)
from ..core.events import (
    Event,
    Exited,
    Failed,
    HeartbeatResult,
    Probed,
    ReleaseResolved,
    ReleaseUnavailable,
    ReloadRequested,
    Restored,
    Startup,
    StopRequested,
    TimerFired,
    Touched,
    UpgradeChecked,
    UpgradeFailed,
    UpgradeRequested,
)
from ..core.snapshot import dump
from ..core.supervisor import Supervisor
from . import upgrade
from .handover import Handover, restore
from .listener import ListenError, close_listener, listen
from .output import Output
from .probe import ask, connect, host_header, local_address, probe
from .release import ReleaseError, ReleaseMissingError, resolve
from .restart_file import RestartFile, read_stamp
from .status_file import StatusFile, headline, report
from .systemd import Notifier, state_message
from .unavailable import Unavailable
from .workers import Workers

log = logging.getLogger("procmon")
WATCHDOG_ABORT_FACTOR = 4 / 3
"""Abort after so many missed pings of the watchdog: systemd waits for two."""
LEFTOVER_SECONDS = 5.0
LEFTOVER_POLL_SECONDS = 0.05
PROBE_CLIENT_PORT = 1
"""The port that a probe seems to come from: its connection has none."""


@dataclass(frozen=True)
class MasterResources:
    """What a master holds and the next procmon takes over. `config` is what `path` was when it was read."""

    path: Path
    config: Config
    listener: socket.socket
    lock_fd: int


class Master:
    """One running procmon; made and run inside of an asyncio loop. `run` returns its exit status."""

    def __init__(self, resources: MasterResources, output: Output) -> None:
        self._resources = resources
        self._config = resources.config
        """The configuration that was read last, valid or not for what serves."""

        self._loop = asyncio.get_running_loop()
        self._supervisor = Supervisor(self._config, _jitter, os.cpu_count() or 1)
        self._output = output
        self._workers = Workers(resources.listener, output, self.feed, self._loop)
        self._restart_file = RestartFile(self._config.restart_path, lambda *touch: self.feed(Touched(*touch)))
        self._unavailable = Unavailable(resources.listener, self._config.name)
        self._notifier = Notifier(os.environ)
        self._status = StatusFile(self._config.state_path)
        self._events: deque[Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._exit_status: asyncio.Future[int] = self._loop.create_future()
        self._published = ("", "")
        self._handlers: dict[type[Action], Callable[[Any], None]] = {
            ResolveRelease: self._resolve,
            Spawn: self._spawn,
            Probe: lambda action: self._start(self._probe(action)),
            SendHeartbeat: lambda action: self._start(self._send_heartbeat(action)),
            Listen: self._listen,
            Unlisten: lambda _action: close_listener(resources.listener, self._config.bind),
            RefuseClients: lambda action: self._unavailable.start(action.reason),
            StopRefusing: lambda _action: self._unavailable.stop(),
            Accept: self._workers.accept,
            Drain: self._workers.drain,
            Abort: self._workers.abort,
            Kill: self._workers.kill,
            CheckUpgrade: lambda _action: self._start(self._check_upgrade()),
            ExecUpgrade: lambda _action: self._start(self._exec_upgrade()),
            Log: lambda action: log.log(_LEVELS[action.level], "%s", action.text),
            Exit: lambda action: self._exit(action.status),
        }

    async def run(self, handover: Handover | None = None) -> int:
        """Serve until stopped, beginning with what was handed over. Signals may be blocked until then."""
        for number in (*_SIGNALS, *_IGNORED_SIGNALS):
            self._loop.add_signal_handler(number, self._on_signal, number)
        upgrade.unblock_signals()
        self._feed_watchdog()
        if handover is None:
            self.feed(Startup())
        else:
            self._restore(handover)
        self._start(self._restart_file.run())
        _return_memory()
        status = await self._exit_status
        await self._reap_leftovers()
        for task in list(self._tasks):
            task.cancel()
        # One that comes from now on is of no use, and must not change how procmon exits.
        upgrade.block_signals()
        signal.set_wakeup_fd(-1)
        return status

    def feed(self, event: Event) -> None:
        """Pass `event` to the core and execute its actions. Events that come in between wait in line."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                for action in self._supervisor.handle(self._events.popleft(), time.monotonic()):
                    self._execute(action)
        finally:
            self._busy = False
            self._set_timer()
            self._publish()

    def _execute(self, action: Action) -> None:
        try:
            self._handlers[type(action)](action)
        except Exception:
            # Unforeseen: the other actions are executed all the same.
            log.exception("could not execute %s", type(action).__name__)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._supervisor.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self.feed, TimerFired())

    def _publish(self) -> None:
        """Write status.json and notify systemd, where something has changed."""
        started = {number: process.started for number, process in self._workers.processes.items()}
        self._status.write(report(self._supervisor, started, self._config))
        now = (self._supervisor.state, headline(self._supervisor))
        if now != self._published:
            self._notifier.send(state_message(self._published[0], now[0], time.monotonic_ns() // 1000, now[1]))
            self._published = now

    def _feed_watchdog(self) -> None:
        """Ping systemd's watchdog; should the loop stand still, exit before systemd kills the workers as well."""
        if seconds := self._notifier.watchdog_seconds:
            self._notifier.send("WATCHDOG=1")
            faulthandler.dump_traceback_later(seconds * WATCHDOG_ABORT_FACTOR, exit=True)
            self._loop.call_later(seconds, self._feed_watchdog)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of procmon failed", exc_info=error)

    # -- signals ------------------------------------------------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            # systemd waits for this notification, also where there turns out to be nothing to reload.
            message = state_message("", "reloading", time.monotonic_ns() // 1000, headline(self._supervisor))
            self._notifier.send(message)
            self._published = ("reloading", "")
        if event := _SIGNALS.get(number):
            self.feed(event)
        elif number in _IGNORED_SIGNALS:
            log.warning("ignored %s: it has no meaning for procmon", signal.Signals(number).name)

    # -- releases and workers -----------------------------------------------------------------------------------------

    def _resolve(self, _action: ResolveRelease) -> None:
        stamp = former = read_stamp(self._config.restart_path)
        try:
            config = self._read_config()
            # The stamp comes first: a touch after this line is newer than what is read below.
            stamp = read_stamp(config.restart_path)
            config = self._read_config()
            self.feed(ReleaseResolved(resolve(config), stamp, former))
        except (ConfigError, ReleaseError) as error:
            missing = isinstance(error, ReleaseMissingError)
            self.feed(ReleaseUnavailable(str(error), stamp, missing, former))
        except Exception as error:
            # Those who wait for the answer must get one.
            self.feed(ReleaseUnavailable(describe_error(error), stamp, former=former))
            raise

    def _read_config(self) -> Config:
        """Read the configuration as it is now. Raises ConfigError, also for a change that requires a restart."""
        config = load(self._resources.path)
        if change := identity_error(self._resources.config.identity, config):
            raise ConfigError(f"{self._resources.path}: {change}")
        if config.digest != self._config.digest:
            for warning in config.warnings:
                log.warning("%s: %s", self._resources.path, warning)
        self._config = config
        self._restart_file.follow(config.restart_path)
        return config

    def _spawn(self, action: Spawn) -> None:
        try:
            self._workers.spawn(action)
        except Exception as error:
            self.feed(Failed(action.worker, "spawn", describe_error(error)))
            self.feed(Exited(action.worker, "no process"))
            raise

    async def _probe(self, action: Probe) -> None:
        open_connection = partial(self._open_probe, action.worker)
        host = host_header(action.heartbeat, self._config.bind)
        self.feed(Probed(action.worker, await probe(open_connection, action.heartbeat, host, action.seconds)))

    async def _open_probe(self, worker: int) -> socket.socket:
        server = local_address(self._resources.listener)
        if not isinstance(server, tuple):
            return self._workers.open_probe(worker, None, None)
        return self._workers.open_probe(worker, (server[0], PROBE_CLIENT_PORT), (server[0], server[1]))

    async def _send_heartbeat(self, action: SendHeartbeat) -> None:
        heartbeat = action.heartbeat
        host = host_header(heartbeat, self._config.bind)
        open_connection = partial(connect, self._resources.listener)
        result = await ask(open_connection, heartbeat, host, heartbeat.timeout_seconds)
        self.feed(HeartbeatResult(action.generation, result))

    def _listen(self, _action: Listen) -> None:
        try:
            listen(self._resources.listener)
        except ListenError as error:
            log.error("%s", error)  # noqa: TRY400 - no traceback for the operator
            self._exit(1)

    # -- from one procmon to the next ---------------------------------------------------------------------------------

    def _restore(self, handover: Handover) -> None:
        restore(self._supervisor, handover, self._config)
        self._workers.restore(handover.processes)
        self.feed(Restored(self._reload_reason(handover)))
        for number in upgrade.read_signals(handover.files["signals"]):
            self._on_signal(number)
        os.close(handover.files["signals"])

    def _reload_reason(self, handover: Handover) -> str:
        active = self._supervisor.reloads.active
        if (active.config.digest if active else handover.config_digest) != self._config.digest:
            return "the configuration has changed"
        return "nothing serves" if active is None and self._supervisor.state == "failed" else ""

    async def _check_upgrade(self) -> None:
        try:
            error = await upgrade.check(self._resources.path, self._handover(), self._workers.excluded_pids)
        except OSError as problem:
            error = describe_error(problem)
        except Exception as unforeseen:
            log.exception("could not check the upgrade")
            error = describe_error(unforeseen)
        self.feed(UpgradeChecked(error))

    async def _exec_upgrade(self) -> None:
        error, missed = "", b""
        if self._workers.cleaning:
            await self._workers.cleaned_up()
            # What was checked may be another program, or another configuration, by now.
            self.feed(UpgradeRequested())
            return
        try:
            with upgrade.SignalPipe() as signals:
                error = await self._exec(signals.reader)
                missed = upgrade.read_signals(signals.reader)
        except OSError as problem:
            error = describe_error(problem)
        self.feed(UpgradeFailed(error))
        for number in missed:
            self._on_signal(number)

    async def _exec(self, signals: int) -> str:
        """Return why it failed; an empty text when something else has come in between."""
        # Each signal that came before those that are kept is handled in the next turn.
        await asyncio.sleep(0)
        if not self._supervisor.is_idle() or self._workers.cleaning:
            return ""
        try:
            with upgrade.memory_file(self._output.unwritten()) as output:
                return upgrade.exec_upgrade(self._resources.path, self._handover(signals=signals, output=output))
        except Exception as unforeseen:
            log.exception("could not become the installed procmon")
            return describe_error(unforeseen)

    def _handover(self, **files: int) -> Handover:
        files |= {"listener": self._resources.listener.fileno(), "lock": self._resources.lock_fd}
        processes, identity = self._workers.hand_over(), dict(self._resources.config.identity)
        return Handover(dump(self._supervisor), processes, identity, self._config.digest, files)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _exit(self, status: int) -> None:
        if not self._exit_status.done():
            self._exit_status.set_result(status)

    async def _reap_leftovers(self) -> None:
        """Wait for what the workers had started: a process whose parent still exits is not yet ours to end."""
        end = time.monotonic() + LEFTOVER_SECONDS
        while self._workers.reap_orphans() and time.monotonic() < end:
            await asyncio.sleep(LEFTOVER_POLL_SECONDS)


def describe_error(error: Exception) -> str:
    """Put an error into words."""
    return f"{type(error).__name__}: {error}"


def _jitter() -> float:
    """Return a number from -1 to 1, without the memory that the module random takes."""
    return int.from_bytes(os.urandom(4), "big") / 2**31 - 1


def _return_memory() -> None:
    """Return the memory that only the start has used to the system."""
    gc.collect()
    # glibc alone keeps it, and so has the function.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


_SIGNALS: dict[int, Event] = {
    signal.SIGTERM: StopRequested(),
    signal.SIGINT: StopRequested(),
    signal.SIGQUIT: StopRequested(),
    signal.SIGHUP: ReloadRequested("SIGHUP"),
    signal.SIGUSR2: UpgradeRequested(),
}
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGALRM)
"""By default these would end procmon without a message."""
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
