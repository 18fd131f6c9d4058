"""The loop that the master turns in."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from procmon.reactor import WRITE, Reactor


@pytest.fixture(name="reactor")
def make_reactor() -> Iterator[Reactor]:
    """Give one, and let go of it."""
    before = signal.getsignal(signal.SIGUSR1)
    reactor = Reactor()
    yield reactor
    reactor.close()
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture(name="pair")
def make_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two sockets that are connected."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_times_come_in_their_order_and_one_that_is_cancelled_does_not_come(reactor: Reactor) -> None:
    done: list[str] = []
    now = time.monotonic()
    last = reactor.at(now + 0.002, lambda: done.append("cancelled by one that is due as well"))

    def second() -> None:
        done.append("second")
        reactor.cancel(last)

    reactor.at(now + 0.001, second)
    reactor.at(now, lambda: done.append("first"))
    reactor.cancel(reactor.at(now, lambda: done.append("cancelled")))
    reactor.cancel(None)
    reactor.at(now + 0.003, reactor.stop)
    reactor.run()
    assert done == ["first", "second"]


def test_what_was_said_comes_before_the_time_by_which_it_should_have_been(reactor: Reactor, pair: Pair) -> None:
    ours, theirs = pair
    done: list[str] = []
    reactor.at(0.0, lambda: done.append("time"))
    reactor.on_ready(ours, lambda: done.append("word"))
    theirs.send(b"x")
    reactor.turn()
    assert done == ["word", "time"]


def test_what_is_put_off_for_no_time_waits_for_another_look(reactor: Reactor, pair: Pair) -> None:
    """Whoever waits for the next turn wants to hear what has come meanwhile."""
    ours, theirs = pair
    done: list[str] = []

    def hear() -> None:
        done.append("file")
        reactor.at(0.0, lambda: done.append("time"))

    reactor.on_ready(ours, hear)
    theirs.send(b"x")
    reactor.turn()
    assert done == ["file"]
    reactor.forget(ours)
    reactor.turn()
    assert done == ["file", "time"]


def test_a_time_far_away_is_no_reason_not_to_wait(reactor: Reactor, pair: Pair) -> None:
    ours, theirs = pair
    done: list[str] = []
    reactor.at(time.monotonic() + 1e9, lambda: done.append("time"))
    reactor.on_ready(ours, lambda: done.append("word"))
    theirs.send(b"x")
    reactor.turn()
    assert done == ["word"]


def test_another_file_of_the_same_number_is_not_ready(reactor: Reactor, pair: Pair) -> None:
    first, again = pair[0], socket.socket(socket.AF_UNIX)
    others = socket.socketpair()
    done: list[str] = []

    def close_both() -> None:
        done.append("closed")
        for one in (first, others[0]):
            reactor.forget(one)
            fd = one.fileno()
            one.close()
            os.dup2(again.fileno(), fd)
            reactor.on_ready(fd, lambda: done.append("not ready"), WRITE)

    for one, end in ((first, pair[1]), others):
        reactor.on_ready(one, close_both)
        end.send(b"x")
    fds = (first.fileno(), others[0].fileno())
    reactor.turn()
    assert done == ["closed"]
    for fd in fds:
        reactor.forget(fd)
        os.close(fd)
    again.close()
    others[1].close()


def test_a_file_that_is_given_something_else_to_do_does_that_alone(reactor: Reactor, pair: Pair) -> None:
    ours, theirs = pair
    done: list[str] = []
    reactor.on_ready(ours, lambda: done.append("old"))
    reactor.on_ready(ours, lambda: done.append("new"))
    theirs.send(b"x")
    reactor.turn()
    assert done == ["new"]
    reactor.forget(ours)
    reactor.forget(ours)


def test_signals_are_taken_in_turns_and_each_counts(reactor: Reactor) -> None:
    done: list[int] = []
    reactor.on_signal(signal.SIGUSR1, lambda: done.append(signal.SIGUSR1))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert done == []
    reactor.turn()
    assert done == [signal.SIGUSR1]


def test_what_fails_is_told_and_keeps_nothing_from_being_done(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("nobody has foreseen it")

    async def fail_later() -> None:
        await reactor.ready(0.0)
        raise RuntimeError("nor this")

    reactor.start(fail_later())
    reactor.at(0.0, fail)
    reactor.at(time.monotonic(), reactor.stop)
    reactor.run()
    assert "nobody has foreseen it" in caplog.text
    assert "nor this" in caplog.text


def test_work_waits_for_a_file_or_for_its_time(reactor: Reactor, pair: Pair) -> None:
    ours, theirs = pair
    found: list[bool] = []

    async def work() -> None:
        found.append(await reactor.ready(time.monotonic() + 60, ours, WRITE))
        found.append(await reactor.ready(time.monotonic() + 0.01, ours))
        theirs.send(b"x")
        found.append(await reactor.ready(0.0, ours))
        reactor.stop()

    reactor.start(work())
    reactor.run()
    assert found == [True, False, True]


def test_work_that_is_under_way_at_the_end_cleans_up(pair: Pair) -> None:
    reactor = Reactor()

    async def work() -> None:
        with pair[0]:
            await reactor.ready(time.monotonic() + 60, pair[0])

    reactor.start(work())
    reactor.close()
    assert pair[0].fileno() == -1
