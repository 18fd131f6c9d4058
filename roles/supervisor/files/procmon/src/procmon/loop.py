# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: turns what happens into events for the core, and the core's actions into deeds. It never waits."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from . import successor
from .actions import (
    Abort,
    Accept,
    Action,
    Beat,
    Drain,
    Exit,
    Kill,
    Listen,
    Log,
    Preflight,
    Probe,
    Replace,
    Resolve,
    Spawn,
    Unlisten,
)
from .config import Config
from .core import Core
from .events import (
    Adopted,
    Begin,
    Event,
    Exited,
    Failed,
    HeartbeatAnswered,
    Preflighted,
    Probed,
    ReloadAsked,
    Resolved,
    Stayed,
    StopAsked,
    Touched,
    Unresolved,
    UpgradeAsked,
    Woke,
)
from .handover import Handover, identity, restore
from .listener import ListenError, close_listener, listen
from .memory import remember
from .notify import Notifier, state_message
from .output import Output
from .probe import Request, ask, default_host, dial
from .reactor import Reactor, Timer
from .release import ReleaseError, ReleaseMissingError, read_mark, resolve
from .status import StatusFile, headline, snapshot
from .watch import Watcher
from .workers import Workers

log = logging.getLogger("procmon")
STILL_BEATS = 4 / 3
"""So many beats of the watchdog may be missed: systemd's patience is two."""
LEFT_BEHIND_SECONDS = 2.0


@dataclass(frozen=True)
class Seat:
    """What a master holds and its successor takes over. `settings` is what `path` was when it was read."""

    path: Path
    config: Config
    settings: str
    listener: socket.socket
    lock_fd: int


class Master:
    """One running procmon. `run` returns its exit status."""

    def __init__(self, seat: Seat, output: Output) -> None:
        self._seat = seat
        self._config = config = seat.config
        self._listener = listener = seat.listener
        self._reactor = Reactor()
        self._core = Core(config, _jitter)
        self._workers = Workers(listener, output, self.feed, self._reactor)
        self._watcher = Watcher(config.restart_path, lambda mark: self.feed(Touched(mark)), self._reactor)
        self._notifier = Notifier(os.environ)
        self._status = StatusFile(config.state_path)
        self._request = Request(config.heartbeat.path, config.heartbeat.host_header or default_host(config.bind))
        self._events: deque[Event] = deque()
        self._busy = False
        self._timer: Timer | None = None
        self._exit_status: int | None = None
        self._told = ("", "")

    def run(self, handed: Handover | None = None) -> int:
        """Serve until told to stop, beginning with what was `handed` over. Signals may be blocked until then."""
        for number in _SIGNALS:
            self._reactor.on_signal(number, partial(self._on_signal, number))
        successor.unblock_signals()
        self._live()
        if handed is None:
            self.feed(Begin())
        else:
            self._adopt(handed)
        self._watcher.start()
        self._reactor.run()
        self._watcher.stop()
        self._reactor.close()
        return self._exit_status or 0

    async def _leave_nobody_behind(self) -> None:
        """Wait for the last of what the workers had started: whose parent is still dying is not yet ours to end."""
        end = time.monotonic() + LEFT_BEHIND_SECONDS
        while self._workers.sweep() and time.monotonic() < end:
            await self._reactor.ready(time.monotonic() + LEFT_BEHIND_SECONDS / 100)
        self._reactor.stop()

    def _adopt(self, handed: Handover) -> None:
        restore(self._core, handed)
        self._workers.adopt(handed.processes)
        self.feed(Adopted(self._why_reload(handed)))
        for number in successor.read_signals(handed.files["signals"]):
            self._on_signal(number)
        os.close(handed.files["signals"])

    def _why_reload(self, handed: Handover) -> str:
        # A reload that failed has left behind what another configuration has started.
        before = self._core.active.release.settings if self._core.active else handed.settings
        if before != self._seat.settings:
            return "the configuration has changed"
        return "nothing serves" if self._core.active is None and self._core.state == "failed" else ""

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            # systemd waits for this word, also where the reload turns out to be nothing to wait for.
            self._notifier.send(state_message("", "reloading", time.monotonic_ns() // 1000, headline(self._core)))
            self._told = ("reloading", "")
        if event := _SIGNALS.get(number):
            self.feed(event)

    def feed(self, event: Event) -> None:
        """Let the core decide about `event`, and do what it says. Answers that come meanwhile wait in line."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                for action in self._core.handle(self._events.popleft(), time.monotonic()):
                    self._perform(action)
        finally:
            self._busy = False
            self._set_timer()
            self._tell()

    def _perform(self, action: Action) -> None:
        try:
            self._DEEDS[type(action)](self, action)
        except Exception:
            # Nobody has foreseen it: the other deeds are done all the same.
            log.exception("could not %s", type(action).__name__.lower())

    def _set_timer(self) -> None:
        self._reactor.cancel(self._timer)
        due = self._core.deadline()
        self._timer = None if due is None else self._reactor.at(due, lambda: self.feed(Woke()))

    def _tell(self) -> None:
        """Publish what changed."""
        started = {number: process.started for number, process in self._workers.processes.items()}
        self._status.write(snapshot(self._core, started, self._seat.settings))
        now = (self._core.state, headline(self._core))
        if now != self._told:
            self._notifier.send(state_message(self._told[0], now[0], time.monotonic_ns() // 1000, now[1]))
            self._told = now

    def _live(self) -> None:
        """Tell systemd that the loop turns; should it stand still, end before systemd ends the workers as well."""
        if seconds := self._notifier.watchdog_seconds:
            self._notifier.send("WATCHDOG=1")
            faulthandler.dump_traceback_later(seconds * STILL_BEATS, exit=True)
            self._reactor.at(time.monotonic() + seconds, self._live)

    # -- deeds --------------------------------------------------------------------------------------------------------

    def _resolve(self, _action: Resolve) -> None:
        # The mark comes first: a touch after this line is newer than what is read below.
        mark = read_mark(self._config.restart_path)
        try:
            self.feed(Resolved(replace(resolve(self._config), settings=self._seat.settings), mark))
        except ReleaseError as error:
            self.feed(Unresolved(str(error), mark, missing=isinstance(error, ReleaseMissingError)))
        except Exception as error:
            # Whoever waits for the answer must get one.
            self.feed(Unresolved(in_words(error), mark))
            raise

    def _spawn(self, action: Spawn) -> None:
        try:
            self._workers.spawn(action)
        except Exception as error:
            self.feed(Failed(action.worker, "spawn", in_words(error)))
            self.feed(Exited(action.worker, "no process"))
            raise

    def _probe(self, action: Probe) -> None:
        self._reactor.start(self._ask_worker(action))

    async def _ask_worker(self, action: Probe) -> None:
        connect = partial(self._workers.open_probe, action.worker)
        self.feed(Probed(action.worker, await ask(self._reactor, connect, self._request, action.seconds)))

    def _beat(self, action: Beat) -> None:
        self._reactor.start(self._ask_app(action))

    async def _ask_app(self, action: Beat) -> None:
        seconds = self._config.heartbeat.timeout_seconds
        answer = await ask(self._reactor, partial(dial, self._listener), self._request, seconds)
        self.feed(HeartbeatAnswered(action.generation, answer))

    def _listen(self, _action: Listen) -> None:
        try:
            listen(self._listener)
        except ListenError as error:
            log.error("%s", error)  # noqa: TRY400 - no traceback for the operator
            self._exit(Exit(1))

    def _unlisten(self, _action: Unlisten) -> None:
        close_listener(self._listener, self._config.bind)

    def _accept(self, action: Accept) -> None:
        self._workers.accept(action.worker)

    def _drain(self, action: Drain) -> None:
        self._workers.drain(action.worker, action.seconds, last=action.last)

    def _abort(self, action: Abort) -> None:
        self._workers.abort(action.worker)

    def _kill(self, action: Kill) -> None:
        self._workers.kill(action.worker)

    def _preflight(self, _action: Preflight) -> None:
        self._reactor.start(self._try_successor())

    async def _try_successor(self) -> None:
        try:
            error = await successor.preflight(self._reactor, self._seat.path, self._handover(), self._workers.spared)
        except Exception as unforeseen:
            log.exception("could not try the successor")
            error = in_words(unforeseen)
        self.feed(Preflighted(error))

    def _replace(self, _action: Replace) -> None:
        self._reactor.start(self._become_successor())

    async def _become_successor(self) -> None:
        error, missed = "", b""
        try:
            with successor.SignalPipe() as signals:
                error = await self._exec(signals.reader)
                missed = successor.read_signals(signals.reader)
        except OSError as unmade:
            error = in_words(unmade)
        self.feed(Stayed(error))
        for number in missed:
            self._on_signal(number)

    async def _exec(self, signals: int) -> str:
        """Return why it failed; nothing, when something else has come in between."""
        # Each signal that came before those that are kept is handled in the next turn.
        await self._reactor.ready(time.monotonic())
        if not self._core.calm():
            return ""
        try:
            return successor.replace(self._seat.path, self._handover(signals=signals))
        except Exception as unforeseen:
            log.exception("could not become the successor")
            return in_words(unforeseen)

    def _handover(self, **files: int) -> Handover:
        files |= {"listener": self._listener.fileno(), "lock": self._seat.lock_fd}
        processes = self._workers.hand_over()
        return Handover(remember(self._core), processes, identity(self._config), self._seat.settings, files)

    def _log(self, action: Log) -> None:
        log.log(_LEVELS[action.level], "%s", action.text)

    def _exit(self, action: Exit) -> None:
        if self._exit_status is None:
            self._exit_status = action.status
            self._reactor.start(self._leave_nobody_behind())

    _DEEDS: dict[type[Action], Callable[..., None]] = {  # noqa: RUF012 - a table, never written to
        Resolve: _resolve,
        Spawn: _spawn,
        Probe: _probe,
        Beat: _beat,
        Listen: _listen,
        Unlisten: _unlisten,
        Accept: _accept,
        Drain: _drain,
        Abort: _abort,
        Kill: _kill,
        Preflight: _preflight,
        Replace: _replace,
        Log: _log,
        Exit: _exit,
    }


def in_words(error: Exception) -> str:
    """Say what went wrong."""
    return f"{type(error).__name__}: {error}"


def _jitter() -> float:
    """Give a number from -1 to 1, without the memory that the module random takes."""
    return int.from_bytes(os.urandom(4), "big") / 2**31 - 1


_SIGNALS: dict[int, Event] = {
    signal.SIGTERM: StopAsked(),
    signal.SIGINT: StopAsked(),
    signal.SIGHUP: ReloadAsked("SIGHUP"),
    signal.SIGUSR2: UpgradeAsked(),
}
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
