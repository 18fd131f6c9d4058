"""Processes that the app forks: a signal ends them as usual, and does not affect the worker."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.procmon.fake_master import APPS, Client, Worker

Start = Callable[..., Worker]
Release = Callable[[str], Path]

CHILDREN = """
import multiprocessing, os, signal, subprocess, sys, threading, time
from pages import serve

def hold(channel):
    channel.send("ready")
    time.sleep(3600)

def double(number):
    return 2 * number

def terminate(method):
    def run():
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        process = context.Process(target=hold, args=(theirs,))
        process.start()
        ours.recv()
        process.terminate()
        process.join()
        return process.exitcode
    return run

def at_once():
    '''Each is terminated before it has run any code of its own.'''
    codes = []
    for _ in range(20):
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
        process.start()
        process.terminate()
        process.join()
        codes.append(process.exitcode)
    return sorted(set(codes))

def pool(method):
    def run():
        found = []
        for _ in range(3):
            with multiprocessing.get_context(method).Pool(2) as workers:
                found.append(workers.map(double, [1, 2, 3]))
        return found
    return run

def from_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(terminate("fork")()))
    thread.start()
    thread.join()
    return found

def handlers():
    '''What a forked child finds, and whether a program that it starts can be ended.'''
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        found = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGIO)]
        expected = [signal.SIG_DFL, signal.default_int_handler, signal.SIG_DFL]
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        os.write(writer, str([found == expected, signal.set_wakeup_fd(-1), sorted(blocked)]).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return [os.read(reader, 100).decode(), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]

def preexec():
    process = subprocess.Popen(["sleep", "3600"], preexec_fn=lambda: None)
    process.terminate()
    return process.wait()

app = serve(
    pid=os.getpid, fork=terminate("fork"), spawn=terminate("spawn"), forkserver=terminate("forkserver"),
    at_once=at_once, pool=pool("fork"), spawned_pool=pool("spawn"), from_a_thread=from_a_thread, handlers=handlers,
    preexec=preexec,
)
"""
DOUBLED = [[2, 4, 6]] * 3
RESULTS = {
    "fork": -signal.SIGTERM,
    "spawn": -signal.SIGTERM,
    "forkserver": -signal.SIGTERM,
    "at_once": [-signal.SIGTERM],
    "pool": DOUBLED,
    "spawned_pool": DOUBLED,
    "from_a_thread": [-signal.SIGTERM],
    "handlers": ["[True, -1, []]", []],
    "preexec": -signal.SIGTERM,
}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("page", RESULTS)
def test_children_end_and_the_worker_is_undisturbed(
    start: Start, release: Release, client: Callable[[], Client], loop: str, page: str
) -> None:
    directory = release(CHILDREN)
    worker = start("shop:app", directory=directory, env={"PYTHONPATH": str(APPS)}, loop=loop).accepting()
    connection = client()
    assert json.loads(connection.get(f"/{page}").body) == RESULTS[page]
    while worker.report("tick")["requests"] < 1:  # a worker that drains would send no tick
        pass
    answer = connection.get("/pid")
    assert (json.loads(answer.body), answer.closes) == (worker.process.pid, False)
    worker.process.send_signal(signal.SIGTERM)
    worker.report("draining")
    assert connection.get("/pid").closes
    assert worker.drained() == 0
