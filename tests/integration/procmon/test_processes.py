"""Child processes: what they send and write, how they end, and what their helpers have time for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from procmon.core.events import Failed, Ticked
from procmon.master import processes as module
from procmon.master.output import Output
from procmon.master.processes import Child, Children, describe, describe_exit, group_members, is_member
from procmon.master.spawn import launch
from procmon.master.workers import to_event

from tests.support.waiting import until

HELPER = """
    import subprocess, sys
    helper = subprocess.Popen([sys.executable, "-c", {code!r}], start_new_session={session})
    print("helper", helper.pid, flush=True)
"""
LATE = "import time; time.sleep(0.3); print('late', flush=True)"
"""A helper that ends a moment after its worker."""
ENDLESS = "import time; time.sleep(600)"


class World:
    """Children whose output is kept in a file, and what they sent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.events: list[bytes | str] = []
        """Messages and exits, in their order."""
        self._file = self.log.open("wb", buffering=0)
        self._listener = os.open(os.devnull, os.O_RDONLY)
        self.children = Children(Output(self._file.fileno()), asyncio.get_running_loop())

    def close(self) -> None:
        """Close what was opened."""
        self._file.close()
        os.close(self._listener)

    def start(self, code: str) -> Child:
        """Start a program instead of a worker; the control channel's number is `sys.argv[-1]`."""
        # An earlier one may not have been read yet.
        script = self.directory / f"program-{len(self.events)}-{len(self.children.pids)}"
        script.write_text(f"#!{sys.executable}\n{dedent(code)}")
        script.chmod(0o755)
        child = launch(str(script), str(self.directory), {"PATH": os.environ["PATH"]}, self._listener)
        self.children.watch(child, self.events.append, self.events.append)
        return child

    async def exited(self, number: int = 1) -> str:
        """Wait for the exits of so many children; return the last one's."""
        await self.until(lambda: len(self.exits()) >= number, "the child has exited")
        return self.exits()[-1]

    def exits(self) -> list[str]:
        """Return how the children have exited."""
        return [one for one in self.events if isinstance(one, str)]

    async def reaped(self) -> None:
        """Wait until the children and their helpers are gone."""
        await self.until(lambda: not self.children.pids and not self.children.cleaning, "all are reaped")

    async def helper(self) -> int:
        """Wait for the pid of the helper that a child has started."""
        await self.until(lambda: self.log.read_text().startswith("helper"), "a helper is started")
        return int(self.log.read_text().split()[1])

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`, up to a deadline."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"not within 30 s: {what}"
            await asyncio.sleep(0.01)


def run(tmp_path: Path, story: Callable[[World], object]) -> World:
    """Run a story with children."""

    async def main() -> World:
        with contextlib.closing(World(tmp_path)) as world:
            await story(world)  # type: ignore[misc]
            await world.reaped()
            return world

    return asyncio.run(main())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


# -- the end of a process ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("", "exit status 0"),
        ("raise SystemExit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("import os; os.kill(os.getpid(), 40)", "signal 40"),
        ("import os; os._exit(255)", "exit status 255"),
    ],
)
def test_how_a_process_exited(tmp_path: Path, code: str, how: str) -> None:
    async def story(world: World) -> None:
        world.start(code)
        assert await world.exited() == how

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL"), (-63, "signal 63")]
)
def test_exit_statuses_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


def test_the_last_messages_and_output_come_before_the_exit(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        child = world.start("""
            import os, socket, sys
            control = socket.socket(fileno=int(sys.argv[-1]))
            for number in range(50):
                control.send(b"%d" % number)
            os.write(1, b"x" * 60_000 + b"\\nlast\\n")
            os._exit(0)
        """)
        await world.exited()
        assert world.events == [*(b"%d" % number for number in range(50)), "exit status 0"]
        assert child.tail.text().endswith("last")
        assert world.log.read_bytes().endswith(b"x\nlast\n")

    run(tmp_path, story)


def test_a_process_that_exits_with_commands_unread_still_has_its_messages_read(tmp_path: Path) -> None:
    """Linux reports a reset first."""

    async def story(world: World) -> None:
        child = world.start("""
            import socket, sys
            control = socket.socket(fileno=int(sys.argv[-1]))
            control.recv(100)
            control.send(b"farewell")
            sys.stdin.read()
        """)
        assert child.send({"type": "one"})
        assert child.send({"type": "two"})
        await world.exited()
        assert b"farewell" in world.events
        assert not child.send({"type": "three"})

    run(tmp_path, story)


def test_a_process_that_reads_no_command_for_too_long_is_killed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        child = world.start("import time; time.sleep(600)")
        while child.send({"type": "x" * 1000}):
            pass
        assert await world.exited() == "SIGKILL"

    run(tmp_path, story)


def test_descriptors_stay_flat_over_fifty_children(tmp_path: Path) -> None:
    def descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only the names

    async def story(world: World) -> None:
        world.start("pass")
        await world.exited()
        await world.reaped()
        before = descriptors()
        for batch in range(10):
            for _ in range(5):
                world.start("print('hello')")
            await world.exited(5 * batch + 6)
        await world.reaped()
        assert descriptors() == before
        assert set(world.exits()) == {"exit status 0"}

    world = run(tmp_path, story)
    assert world.log.read_text() == "hello\n" * 50


def test_no_zombie_is_left(tmp_path: Path) -> None:
    pids: list[int] = []

    async def story(world: World) -> None:
        pids.append(world.start("").pid)

    run(tmp_path, story)
    assert not Path(f"/proc/{pids[0]}").exists()


# -- helpers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [False, True], ids=["in the group", "in a session of its own"])
def test_a_helper_has_time_to_end_by_itself_and_its_output_still_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, session: bool
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 60)

    async def story(world: World) -> None:
        child = world.start(HELPER.format(code=LATE, session=session))
        assert await world.exited() == "exit status 0"
        assert child.pid in world.children.pids, "until it is reaped its pid is its own"
        await world.reaped()

    world = run(tmp_path, story)
    assert world.log.read_text().splitlines()[-1] == "late"
    assert caplog.records == []


def test_a_helper_that_does_not_end_is_killed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.5)
    pids: list[int] = []

    async def story(world: World) -> None:
        child = world.start(HELPER.format(code=ENDLESS, session=False))
        helper = await world.helper()
        assert await world.exited() == "exit status 0", "the exit is reported at once"
        assert is_alive(helper)
        began = time.monotonic()
        await world.until(lambda: not is_alive(helper), "it is killed")
        assert time.monotonic() - began > 0.3
        pids.extend((child.pid, helper))

    run(tmp_path, story)
    assert [record.getMessage() for record in caplog.records] == [
        f"killing pid {pids[1]} ({sys.executable} -c {ENDLESS}), left behind by the worker with pid {pids[0]}"
    ]


def test_a_helper_that_follows_another_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first one ends by itself, and has started a second one before."""
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.8)
    first = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {ENDLESS!r}]); time.sleep(0.2)"

    async def story(world: World) -> None:
        world.start(HELPER.format(code=first, session=False))
        await world.exited()

    run(tmp_path, story)
    assert len(caplog.records) == 1
    assert ENDLESS in caplog.text


def test_shared_memory_is_removed_by_the_helper_that_python_starts_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker may exit at any moment; only the tracker then knows what is to be removed."""

    async def story(world: World) -> None:
        world.start("""
            import os
            from multiprocessing.shared_memory import SharedMemory
            memory = SharedMemory(create=True, size=1 << 20)
            print(memory.name, flush=True)
            os._exit(0)
        """)
        await world.exited()

    world = run(tmp_path, story)
    name, *rest = world.log.read_text().splitlines()
    assert not Path("/dev/shm", name).exists()  # noqa: S108 - where Linux keeps it
    assert "leaked shared_memory" in "\n".join(rest), "what the helper writes arrives"
    assert caplog.records == []


def test_a_process_that_keeps_the_output_open_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.3)

    async def story(world: World) -> None:
        world.start(HELPER.format(code=ENDLESS, session=True))
        helper = await world.helper()
        await world.exited()
        await world.reaped()
        assert is_alive(helper), "one that has left the group is another module's business"
        os.kill(helper, signal.SIGKILL)

    run(tmp_path, story)
    assert caplog.records == []


# -- what is known about processes ------------------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own."""
    with subprocess.Popen([sys.executable, "-c", ENDLESS], start_new_session=True) as process:
        yield process
        process.kill()


def test_the_members_of_a_group(sleeper: subprocess.Popen[bytes]) -> None:
    assert group_members(sleeper.pid) == [sleeper.pid]
    assert not is_member(os.getpid(), sleeper.pid)
    sleeper.kill()
    until(lambda: group_members(sleeper.pid) == [], "a zombie is no member")
    sleeper.wait()
    assert not is_member(sleeper.pid, sleeper.pid)


def test_processes_are_described_by_pid_and_command(sleeper: subprocess.Popen[bytes]) -> None:
    until(lambda: ENDLESS in describe([sleeper.pid]), "it runs its program")
    assert describe([sleeper.pid]) == f"pid {sleeper.pid} ({sys.executable} -c {ENDLESS})"
    sleeper.kill()
    sleeper.wait()
    assert describe([sleeper.pid]) == f"pid {sleeper.pid} (exited)"


# -- messages of workers ----------------------------------------------------------------------------------------------


def test_a_tick_is_read_with_the_memory() -> None:
    message = b'{"type": "tick", "requests": 3, "in_flight": 1, "connections": 2}'
    assert to_event(7, message, lambda: 99) == Ticked(7, 3, 1, 2, 99)


@pytest.mark.parametrize("message", [b"", b"[]", b"{}", b'{"type": "hello"}', b'{"type": "tick"}', b"\xff"])
def test_an_invalid_message_is_a_failure_of_that_worker(message: bytes) -> None:
    assert isinstance(to_event(7, message, int), Failed)
