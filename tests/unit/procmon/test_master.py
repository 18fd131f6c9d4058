"""The master's own events in each of its states: whatever happens when, in the end all workers serve."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from procmon.core.events import (
    Event,
    FileStamp,
    HeartbeatResult,
    Release,
    ReleaseGone,
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
    WorkerEvent,
)
from procmon.core.supervisor import Supervisor
from procmon.core.upgrade import Upgrade
from procmon.core.worker import State

from tests.support.procmon.story import ILL, MISSING, WELL, Story, config

UNREADABLE = ReleaseUnavailable("env_file = '/env' cannot be read", None)
RELEASE = Release("/releases/a", config(), "a" * 40)
EVENTS: list[Event] = [
    *(Startup(), TimerFired(), StopRequested(), UpgradeRequested()),
    *(Touched(FileStamp(1, 1, 2, 0)), ReloadRequested("SIGHUP")),
    *(ReleaseResolved(RELEASE, FileStamp(1, 1, 2, 0)), ReleaseResolved(RELEASE, None), MISSING, UNREADABLE),
    *(HeartbeatResult(1, WELL), HeartbeatResult(1, ILL), HeartbeatResult(0, ILL)),
    *(ReleaseGone(1), ReleaseGone(2), ReleaseGone(3), ReleaseGone(99)),
    *(Restored(), Restored("other settings")),
    *(UpgradeChecked(), UpgradeChecked("no h11"), UpgradeFailed(), UpgradeFailed("Permission denied")),
]
UPGRADES: dict[str, Callable[[], Upgrade]] = {
    "no-upgrade": Upgrade,
    "requested": lambda: Upgrade(requested=True),
    "checking": lambda: Upgrade(checking=True),
    "checked": lambda: Upgrade(checked=True),
}


def failing(unresolved: ReleaseUnavailable) -> Story:
    """Return a procmon that has never served, in a world that is repaired right after."""
    s = Story()
    s.broken = unresolved
    s.begin().broken = None
    return s


def without_workers() -> Story:
    """Return a procmon that has lost all its workers at once."""
    s = Story().served()
    for worker in s.workers():
        s.exited(worker, "SIGKILL")
    return s


STATES: dict[str, Callable[[], Story]] = {
    "waiting": lambda: failing(MISSING),
    "booting": lambda: Story().begin(),
    "serving": lambda: Story().served(),
    "reloading": lambda: Story().served().touch(),
    "failed": lambda: failing(UNREADABLE),
    "failed-later": without_workers,
    "stopping": lambda: Story().served().stop(),
}


def calm(s: Story) -> None:
    """Complete everything but an upgrade, until nothing is under way."""
    for _ in range(4):
        s.proceed().end_drains().after(4)
        if s.core.upgrade.checking:
            s.tell(UpgradeChecked())
        if s.replacing:
            s.replacing = False
            s.tell(UpgradeFailed("Permission denied"))
    s.proceed().end_drains()


def test_the_events_are_all_that_there_are() -> None:
    assert {type(event) for event in EVENTS} == set(Supervisor._HANDLERS)
    assert not any(issubclass(kind, WorkerEvent) for kind in Supervisor._HANDLERS)


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_reached(state: str) -> None:
    assert STATES[state]().state == state.split("-", maxsplit=1)[0]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("event", EVENTS, ids=repr)
@pytest.mark.parametrize("state", STATES)
def test_after_any_event_in_any_state_all_workers_serve_in_the_end(state: str, event: Event, upgrade: str) -> None:
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
