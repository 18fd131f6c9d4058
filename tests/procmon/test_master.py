"""The master's own events in each of its states, whole: whatever is told when, in the end all workers serve."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from procmon.core import Core
from procmon.events import (
    Adopted,
    Begin,
    Event,
    HeartbeatAnswered,
    Mark,
    Preflighted,
    Release,
    ReleaseGone,
    ReloadAsked,
    Resolved,
    Stayed,
    StopAsked,
    Touched,
    Unresolved,
    UpgradeAsked,
    Woke,
    WorkerEvent,
)
from procmon.lifecycle import State
from procmon.upgrade import Upgrade

from .story import ILL, MISSING, WELL, Story

UNREADABLE = Unresolved("env_file = '/env' cannot be read", None)
RELEASE = Release("/releases/a", "a" * 40)
EVENTS: list[Event] = [
    *(Begin(), Woke(), StopAsked(), UpgradeAsked()),
    *(Touched(Mark(1, 1, 2, 0)), ReloadAsked("SIGHUP")),
    *(Resolved(RELEASE, Mark(1, 1, 2, 0)), Resolved(RELEASE, None), MISSING, UNREADABLE),
    *(HeartbeatAnswered(1, WELL), HeartbeatAnswered(1, ILL), HeartbeatAnswered(0, ILL)),
    *(ReleaseGone(1), ReleaseGone(2), ReleaseGone(3), ReleaseGone(99)),
    *(Adopted(), Adopted("other settings")),
    *(Preflighted(), Preflighted("no h11"), Stayed(), Stayed("Permission denied")),
]
UPGRADES: dict[str, Callable[[], Upgrade]] = {
    "no-upgrade": Upgrade,
    "asked": lambda: Upgrade(asked=True),
    "checking": lambda: Upgrade(checking=True),
    "proven": lambda: Upgrade(proven=True),
}


def unable(unresolved: Unresolved) -> Story:
    """Tell of a procmon that has never served, in a world that is mended right after."""
    s = Story()
    s.broken = unresolved
    s.begin().broken = None
    return s


def bereft() -> Story:
    """Tell of a procmon that has lost all its workers at once."""
    s = Story().served()
    for worker in s.workers():
        s.exited(worker, "SIGKILL")
    return s


STATES: dict[str, Callable[[], Story]] = {
    "waiting": lambda: unable(MISSING),
    "booting": lambda: Story().begin(),
    "serving": lambda: Story().served(),
    "reloading": lambda: Story().served().touch(),
    "failed": lambda: unable(UNREADABLE),
    "failed-later": bereft,
    "stopping": lambda: Story().served().stop(),
}


def calm(s: Story) -> None:
    """Let everything succeed but an upgrade, until nothing is under way."""
    for _ in range(4):
        s.proceed().end_drains().after(4)
        if s.core.upgrade.checking:
            s.tell(Preflighted())
        if s.replacing:
            s.replacing = False
            s.tell(Stayed("Permission denied"))
    s.proceed().end_drains()


def test_the_events_are_all_that_there_are() -> None:
    assert {type(event) for event in EVENTS} == set(Core._HANDLERS)
    assert not any(issubclass(kind, WorkerEvent) for kind in Core._HANDLERS)


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_reached(state: str) -> None:
    assert STATES[state]().state == state.split("-", maxsplit=1)[0]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("event", EVENTS, ids=repr)
@pytest.mark.parametrize("state", STATES)
def test_whatever_the_master_is_told_in_any_state_all_serve_in_the_end(state: str, event: Event, upgrade: str) -> None:
    s = STATES[state]()
    s.core.upgrade = UPGRADES[upgrade]()
    s.tell(event)
    calm(s)
    if s.core.stopping:
        assert (s.left, s.workers()) == (0, [])
    else:
        assert (s.state, s.left) == ("serving", None)
        assert [worker.state for worker in s.workers()] == [State.ACTIVE, State.ACTIVE]
    assert not s.core.upgrade.checking
