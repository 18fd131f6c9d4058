# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for files, times and signals at once, and does what is due: all that the master needs of an event loop.

asyncio does that too, and much that takes memory in each master and time at each turn.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
SIGNALS_BYTES = 4096
MOST_PATIENT_SECONDS = 3600.0
"""epoll counts milliseconds, and not as many as a time far away has."""

log = logging.getLogger("procmon")


class HasFileno(Protocol):
    """An open file of some kind."""

    def fileno(self) -> int:
        """Return its descriptor."""


File: TypeAlias = int | HasFileno
Act: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Wait:
    """What a piece of work waits for: `until` has come, or `file` is ready before."""

    until: float
    file: File | None
    what: int


Work: TypeAlias = Coroutine[Any, Any, None]


@dataclass(eq=False)
class Timer:
    """Something to be done at `due` on the monotonic clock."""

    due: float
    act: Act


class Reactor:
    """Does what it was told to do about each file, time and signal, one thing after the other, until it is stopped."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._files: dict[int, Act] = {}
        self._timers: list[Timer] = []
        self._signals: dict[int, Act] = {}
        self._works: set[Work] = set()
        self._stopped = False
        self._signalled, self._signal_end = os.pipe()
        for end in (self._signalled, self._signal_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._signal_end, warn_on_full_buffer=False)
        self.on_ready(self._signalled, self._take_signals)

    # -- what to do when ----------------------------------------------------------------------------------------------

    def on_ready(self, file: File, act: Act, what: int = READ) -> None:
        """Do `act` whenever `file` is ready, in place of what was to be done before."""
        fd = _descriptor(file)
        if fd in self._files:
            self._epoll.modify(fd, what)
        else:
            self._epoll.register(fd, what)
        self._files[fd] = act

    def forget(self, file: File) -> None:
        """Do nothing more about `file`, which is still open."""
        fd = _descriptor(file)
        if self._files.pop(fd, None):
            self._epoll.unregister(fd)

    def at(self, due: float, act: Act) -> Timer:
        """Do `act` once the monotonic clock shows `due`."""
        timer = Timer(due, act)
        self._timers.append(timer)
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Do not do it; nothing, when it is done already."""
        if timer in self._timers:
            self._timers.remove(timer)

    def on_signal(self, number: int, act: Act) -> None:
        """Do `act` at each signal `number`."""
        self._signals[number] = act
        signal.signal(number, _leave_it_to_the_pipe)

    # -- work that waits ----------------------------------------------------------------------------------------------

    def start(self, work: Work) -> None:
        """Do `work` up to where it waits for the first time, and go on with it each time that it need not wait."""
        self._works.add(work)
        self._go_on(work, None)

    @types.coroutine
    def ready(self, until: float, file: File | None = None, what: int = READ) -> Generator[Wait, bool, bool]:
        """Wait; say whether `file` is ready. What is both ready and late is ready."""
        return (yield Wait(until, file, what))

    def _go_on(self, work: Work, was_ready: bool | None) -> None:
        try:
            wait = work.send(was_ready)
        except StopIteration:
            self._works.discard(work)
        except Exception:
            self._works.discard(work)
            log.exception("could not go on")
        else:
            self._wait(work, wait)

    def _wait(self, work: Work, wait: Wait) -> None:
        def end(was_ready: bool) -> None:
            self.cancel(timer)
            if wait.file is not None:
                self.forget(wait.file)
            self._go_on(work, was_ready)

        timer = self.at(wait.until, lambda: end(False))
        if wait.file is not None:
            self.on_ready(wait.file, lambda: end(True), wait.what)

    # -- turning ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until it is stopped."""
        while not self._stopped:
            self.turn()

    def stop(self) -> None:
        """Make this turn the last one."""
        self._stopped = True

    def turn(self) -> None:
        """Wait until something is due, then do all that was: what was said before what should have been said by now."""
        timers = sorted(self._timers, key=lambda timer: timer.due)
        for fd, act in self._poll(timers[0].due if timers else None):
            # Another file may have been opened under the same number meanwhile.
            if self._files.get(fd) is act:
                self._do(act)
        now = time.monotonic()
        for timer in timers:
            if timer.due <= now and timer in self._timers:
                self._timers.remove(timer)
                self._do(timer.act)

    def close(self) -> None:
        """Let go of everything, and of work that waits."""
        for work in self._works:
            work.close()
        signal.set_wakeup_fd(-1)
        self._epoll.close()
        os.close(self._signalled)
        os.close(self._signal_end)

    def _poll(self, until: float | None) -> list[tuple[int, Act]]:
        patience = None if until is None else min(max(0.0, until - time.monotonic()), MOST_PATIENT_SECONDS)
        # What a signal has interrupted, as SIGCONT does, ends without having looked when its time is over: look again.
        found = self._epoll.poll(patience) or self._epoll.poll(0)
        return [(fd, self._files[fd]) for fd, _event in found]

    def _take_signals(self) -> None:
        for number in os.read(self._signalled, SIGNALS_BYTES):
            if act := self._signals.get(number):
                self._do(act)

    @staticmethod
    def _do(act: Act) -> None:
        try:
            act()
        except Exception:
            # Nobody has foreseen it: everything else is done all the same.
            log.exception("could not go on")


def _descriptor(file: File) -> int:
    return file if isinstance(file, int) else file.fileno()


def _leave_it_to_the_pipe(_number: int, _frame: types.FrameType | None) -> None:
    """Do nothing: the number of the signal is in the pipe that wakes the reactor."""
