# SPDX-License-Identifier: GPL-3.0-or-later
"""Zygotes: one process a generation that imports the app once, and is forked into each of the generation's workers.

A zygote is started when a worker is wanted and there is none, and ends when the last worker of its generation has gone.
It does not outlive an upgrade: the next worker that is wanted brings another one.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from .actions import Spawn
from .events import Event, Exited, Failed
from .launch import configuration
from .processes import DATAGRAM_BYTES, Child, Children, Inherited, launch

log = logging.getLogger("procmon")


@dataclass(eq=False)
class Birth:
    """Our ends of what a worker that is being forked will have; a `doomed` one is killed as soon as it is known."""

    control: socket.socket
    output_fd: int
    doomed: bool = False

    def child(self) -> Child:
        """Read who it is. Raises OSError, ValueError and KeyError when nobody was forked."""
        pid = int(json.loads(self.control.recv(DATAGRAM_BYTES))["pid"])
        return Child(Inherited(pid), self.control, self.output_fd, os.pidfd_open(pid))

    def close(self) -> None:
        """Let go of both."""
        self.control.close()
        os.close(self.output_fd)


@dataclass(eq=False)
class Zygote:
    """One of them: the workers that are `wanted` wait until it has `loaded` the app."""

    child: Child
    loaded: bool = False
    wanted: dict[int, Spawn] = field(default_factory=dict)


class Zygotes:
    """All zygotes. A wanted worker is told of by `expect` once it is being forked, by `feed` when that cannot be.

    Where an app cannot be forked, its workers are given to `refuse`.
    """

    def __init__(
        self,
        children: Children,
        listen_fd: int,
        feed: Callable[[Event], None],
        expect: Callable[[Spawn, Birth], None],
        refuse: Callable[[Spawn], None],
    ) -> None:
        self._children = children
        self._listen_fd = listen_fd
        self._feed, self._expect, self._refuse = feed, expect, refuse
        self._zygotes: dict[int, Zygote] = {}
        self._unsafe: set[int] = set()

    def fork(self, wanted: Spawn) -> bool:
        """Have a worker forked; False when its generation's app cannot be, or when no zygote can be started."""
        if wanted.generation in self._unsafe:
            return False
        try:
            zygote = self._zygotes.get(wanted.generation) or self._start(wanted)
        except OSError:
            return False
        zygote.wanted[wanted.worker] = wanted
        self._fork_wanted(zygote)
        return True

    def abort(self, worker: int) -> None:
        """Let the zygote that `worker` waits for write where it hangs, and end."""
        if zygote := self._of(worker):
            zygote.child.abort()

    def forget(self, worker: int) -> None:
        """Give up a worker that still waits."""
        if zygote := self._of(worker):
            del zygote.wanted[worker]
            self._feed(Exited(worker, "SIGKILL", zygote.child.tail.text()))

    def retain(self, generations: Collection[int]) -> None:
        """End the zygotes of all other generations, but for those that somebody waits for."""
        for generation, zygote in list(self._zygotes.items()):
            if generation not in generations and not zygote.wanted:
                del self._zygotes[generation]
                zygote.child.kill_group()

    def _of(self, worker: int) -> Zygote | None:
        return next((zygote for zygote in self._zygotes.values() if worker in zygote.wanted), None)

    def _start(self, wanted: Spawn) -> Zygote:
        # Without the mark of a worker, which a fork would show as its own, and so seem to be somebody's daemon.
        zygote = Zygote(launch(wanted.release, wanted.release.env, self._listen_fd))
        self._zygotes[wanted.generation] = zygote
        self._children.follow(
            zygote.child,
            lambda data: self._hear(zygote, json.loads(data)),
            lambda how: self._ended(wanted.generation, zygote, how),
        )
        zygote.child.send({**configuration(wanted, self._listen_fd), "zygote": True})
        return zygote

    def _hear(self, zygote: Zygote, message: dict[str, Any]) -> None:
        if message["type"] == "loaded":
            zygote.loaded = True
            self._fork_wanted(zygote)
        elif message["type"] == "unsafe":
            self._give_up(zygote, str(message["error"]))
        elif message["type"] == "failed":
            for worker in list(zygote.wanted):
                self._feed(Failed(worker, str(message["stage"]), str(message["error"])))

    def _fork_wanted(self, zygote: Zygote) -> None:
        while zygote.loaded and zygote.wanted:
            wanted = zygote.wanted.pop(next(iter(zygote.wanted)))
            try:
                self._expect(wanted, self._order(zygote, wanted.worker))
            except OSError as error:
                self._feed(Failed(wanted.worker, "spawn", f"{error.strerror}"))
                self._feed(Exited(wanted.worker, "no process"))

    def _order(self, zygote: Zygote, worker: int) -> Birth:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            output, output_end = os.pipe()
            zygote.child.send({"type": "fork", "worker": worker}, [theirs.fileno(), output_end])
            os.close(output_end)
        control.setblocking(False)
        return Birth(control, output)

    def _give_up(self, zygote: Zygote, error: str) -> None:
        wanted = list(zygote.wanted.values())
        zygote.wanted.clear()
        log.warning("preload is not safe for this app, so each worker imports it itself: %s", error)
        self._unsafe.update(one.generation for one in wanted)
        for one in wanted:
            self._refuse(one)

    def _ended(self, generation: int, zygote: Zygote, how: str) -> None:
        if self._zygotes.get(generation) is zygote:
            del self._zygotes[generation]
        for worker in list(zygote.wanted):
            self._feed(Exited(worker, how, zygote.child.tail.text()))
