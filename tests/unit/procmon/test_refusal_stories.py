"""What clients of a held socket get while there is nothing to serve."""

from __future__ import annotations

from procmon.core.actions import Accept, Listen, RefuseClients, StopRefusing

from tests.support.procmon.story import MISSING, Story


def test_clients_are_refused_while_there_is_no_release() -> None:
    s = Story(workers=1)
    s.broken = MISSING
    assert s.begin().done(RefuseClients) == [RefuseClients("no release has been deployed yet")]
    assert not s.after(5).done(RefuseClients)


def test_the_first_generation_takes_the_queue_over_before_it_accepts() -> None:
    s = Story(workers=1)
    s.broken = MISSING
    s.begin().broken = None
    assert s.after(2, ticking=False).done(StopRefusing), "from now on they wait, to be served in a moment"
    s.ready(s.workers()[0])
    assert s.acts.index(Listen()) < s.acts.index(Accept(1))
    assert not s.proceed().done(RefuseClients)


def test_clients_wait_for_the_first_boot_and_are_refused_once_it_has_failed() -> None:
    s = Story(workers=1).begin()
    assert not s.done(RefuseClients)
    s.failed(s.workers()[0])
    assert s.done(RefuseClients) == [RefuseClients("the release could not be started")]
    assert not s.after(1).done(StopRefusing), "the next try may take as long"
    assert s.proceed().state == "serving"


def test_clients_of_a_service_that_serves_are_never_refused() -> None:
    s = Story(workers=1).served()
    s.exited(s.workers()[0], "SIGKILL")
    assert not s.done(RefuseClients)
    assert not s.stop().done(RefuseClients)


def test_a_stop_leaves_the_queue_to_the_next_procmon() -> None:
    s = Story(workers=1)
    s.broken = MISSING
    assert s.begin().stop().done(StopRefusing) == [StopRefusing()]
