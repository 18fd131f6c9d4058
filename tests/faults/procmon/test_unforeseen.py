"""Errors in procmon itself: one action fails, the others are executed, and who waits for an answer gets one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.procmon.service import Service, Start
from tests.support.waiting import until

BROKEN = """
import os
from procmon.master import {module}
from procmon.cli import main
real = {module}.{name}
def fail(*arguments):
    if os.path.exists({flag!r}):
        raise ValueError("nobody has foreseen this")
    return real(*arguments)
{module}.{name} = fail
raise SystemExit(main())
"""


def break_procmon(s: Service, module: str, name: str) -> Path:
    """Make one function of the procmon that will be started fail as long as the file that is returned exists."""
    flag = s.root / "flag"
    s.command = [sys.executable, "-c", BROKEN.format(module=module, name=name, flag=str(flag))]
    return flag


@pytest.mark.parametrize(("module", "name"), [("master", "resolve"), ("spawn", "worker_argv")])
def test_a_reload_with_an_internal_error_is_answered_and_the_next_one_works(
    service: Start, module: str, name: str
) -> None:
    s = service(heartbeat={"interval": 0})
    flag = break_procmon(s, module, name)
    s.start()
    workers = s.pids()
    flag.touch()
    answer = s.deploy("b")
    assert answer["result"] == "failed"
    assert "ValueError: nobody has foreseen this" in answer["error"]
    assert "Traceback" in s.log()
    assert s.pids() == workers
    flag.unlink()
    assert s.deploy("c")["result"] == "ok"
    s.wait_version("c")


def test_a_stop_completes_when_a_part_of_it_fails(service: Start) -> None:
    s = service(heartbeat={"interval": 0})
    flag = break_procmon(s, "master", "close_listener")
    s.start()
    flag.touch()
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0
    assert "could not execute Unlisten" in s.log()


def test_an_upgrade_with_an_internal_error_is_answered_and_can_be_repeated(service: Start) -> None:
    s = service(heartbeat={"interval": 0})
    flag = break_procmon(s, "upgrade", "check")
    s.start()
    flag.touch()
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["number"] == 1, "it is answered")
    assert s.status()["upgrade"]["error"] == "ValueError: nobody has foreseen this"
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["number"] == 2, "it is answered again")
