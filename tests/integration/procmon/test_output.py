"""Standard error: everything arrives while its reader reads, and a reader that does not never holds the master up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from procmon.master import output as module
from procmon.master.output import FULL_BYTES, PIECE_BYTES, TAIL_BYTES, Output, OutputHandler, Tail, is_journal
from procmon.master.processes import Child, Children

from tests.support.procmon.service import BEGINS, Start
from tests.support.waiting import until

REPORT = re.compile(rb"procmon: WARNING: dropped (\d+) bytes of output: its reader is too slow\n")


class Reader:
    """Reads a pipe in a thread; it pauses for `pause` seconds after each `every` bytes, until it shall hurry."""

    def __init__(self, fd: int, *, every: int = 0, pause: float = 0.0) -> None:
        self.data = bytearray()
        self.hurry = threading.Event()
        self._fd, self._every, self._pause = fd, every, pause
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        next_pause = self._every
        while data := os.read(self._fd, 65536):
            self.data += data
            if self._every and len(self.data) >= next_pause:
                next_pause += self._every
                self.hurry.wait(self._pause)  # this is how this reader is
        os.close(self._fd)

    def end(self) -> bytes:
        """Wait for the end of the pipe and return all."""
        self._thread.join(60)
        return bytes(self.data)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def count_turns(loop: asyncio.AbstractEventLoop) -> Callable[[], int]:
    """Return a function that returns how often the loop has turned since."""
    turns = 0
    real = loop._selector.select  # type: ignore[attr-defined]

    def select(timeout: float | None) -> object:
        nonlocal turns
        turns += 1
        return real(timeout)

    loop._selector.select = select  # type: ignore[attr-defined]
    return lambda: turns


async def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait for `condition`, up to a deadline."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"not within 30 s: {what}"
        await asyncio.sleep(0.01)


def start(code: str, listener_output: Output) -> tuple[Child, asyncio.Future[str]]:
    """Start a Python program as a worker is started; return it, and how it will have exited."""
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        popen = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, start_new_session=True
        )
    os.close(writer)
    child = Child(popen.pid, ours, reader, os.pidfd_open(popen.pid))
    popen.returncode = 0
    exited: asyncio.Future[str] = loop.create_future()
    Children(listener_output, loop).watch(child, lambda _data: None, exited.set_result)
    return child, exited


# -- all of it arrives ------------------------------------------------------------------------------------------------

LONG_LINES = "import os\nfor number in range(8): os.write(2, bytes([65 + number]) * 1_000_000 + b'\\n')"
BURSTS = """
import os, time
for burst in range(20):
    for line in range(500): os.write(1, b"%d %d %s\\n" % (burst, line, b"x" * 300))
    time.sleep(0.02)
"""


def written_by(code: str) -> bytes:
    """Return what a program writes."""
    return subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    ).stdout


@pytest.mark.parametrize("code", [LONG_LINES, BURSTS], ids=["long lines", "bursts"])
@pytest.mark.parametrize(("every", "pause"), [(0, 0.0), (1_000_000, 0.5)], ids=["steady reader", "reader with pauses"])
def test_all_of_a_workers_output_arrives_while_its_reader_reads(
    pipe: tuple[int, int], code: str, every: int, pause: float
) -> None:
    reader = Reader(os.dup(pipe[0]), every=every, pause=pause)
    output = Output(pipe[1])

    async def run() -> None:
        output.attach(asyncio.get_running_loop())
        _child, exited = start(code, output)
        assert await exited == "exit status 0"

    asyncio.run(run())
    output.close()
    os.close(pipe[1])
    assert reader.end() == written_by(code)
    assert output.dropped == 0


def test_all_arrives_through_another_program(tmp_path: Path) -> None:
    """As with `procmon run C 2>&1 | cat > log`."""
    with (tmp_path / "log").open("wb") as log:
        cat = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=log)
        assert cat.stdin
        with cat.stdin as writer:
            output = Output(writer.fileno())

            async def run() -> None:
                output.attach(asyncio.get_running_loop())
                _child, exited = start(LONG_LINES, output)
                await exited

            asyncio.run(run())
            output.close()
        cat.wait(30)
    assert (tmp_path / "log").read_bytes() == written_by(LONG_LINES)


def test_what_an_app_writes_arrives_through_a_whole_procmon(service: Start, tmp_path: Path) -> None:
    s = service(workers=1, heartbeat={"interval": 0})
    app = s.root / "releases" / "a" / "site_app.py"
    app.write_text(f"{LONG_LINES}\n{BURSTS}\n{app.read_text()}".replace("from __future__ import annotations\n", ""))
    with (tmp_path / "log").open("wb") as log:
        cat = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=log)
        assert cat.stdin
        with cat.stdin:
            argv = [*s.command, "run", str(s.config)]
            s.process = subprocess.Popen(argv, stderr=cat.stdin, env=s.environment)
        s.wait_state("serving")
        s.close()
        cat.wait(30)
    assert written_by(LONG_LINES) + written_by(BURSTS) in (tmp_path / "log").read_bytes()


def test_an_upgrade_loses_nothing_that_a_slow_reader_has_yet_to_read(service: Start, pipe: tuple[int, int]) -> None:
    s = service(workers=1, heartbeat={"interval": 0})
    lines = "".join(f"{number:06} {'x' * 93}\n" for number in range(8000))
    app = s.root / "releases" / "a" / "site_app.py"
    app.write_text(app.read_text().replace(BEGINS, f"\nprint({lines!r}, end='')\n{BEGINS}"))
    reader = Reader(pipe[0], every=4096, pause=0.2)
    s.process = subprocess.Popen([*s.command, "run", str(s.config)], stderr=pipe[1], env=s.environment)
    os.close(pipe[1])
    s.wait_state("serving")
    s.signal(signal.SIGUSR2)
    until(lambda: s.status()["upgrade"]["number"], "it has upgraded")
    assert lines.encode() not in reader.data
    reader.hurry.set()
    until(lambda: b"took over" in reader.data, "all that was kept is read")
    s.close()
    assert lines.encode() in reader.end()


def test_a_worker_waits_for_a_slow_reader_as_if_it_wrote_to_it_itself(pipe: tuple[int, int]) -> None:
    """What is kept has a limit, and what does not fit stays in the worker's own pipe."""
    output = Output(pipe[1])
    most = 0

    async def run() -> None:
        nonlocal most
        output.attach(asyncio.get_running_loop())
        _child, exited = start(LONG_LINES, output)
        taken = 0
        while not exited.done() or output._buffer:
            most = max(most, len(output._buffer))
            taken += len(os.read(pipe[0], 65536)) if output._buffer else 0
            await asyncio.sleep(0.001)

    asyncio.run(run())
    # The last that an exited process has left is taken at once.
    assert FULL_BYTES // 2 < most <= FULL_BYTES + 2 * 65536
    assert output.dropped == 0


def test_a_reader_that_reads_too_slowly_holds_up_a_worker_for_a_limited_time(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight megabytes at 20 KB per second: requests would wait for minutes."""
    monkeypatch.setattr(module, "FULL_SECONDS", 0.2)
    reader = Reader(os.dup(pipe[0]), every=4096, pause=0.2)
    output = Output(pipe[1])

    async def run() -> None:
        output.attach(asyncio.get_running_loop())
        _child, exited = start(LONG_LINES, output)
        assert await asyncio.wait_for(exited, 60) == "exit status 0"
        reader.hurry.set()
        # What was dropped since the reader last had room is reported with the next line that it has room for.
        await wait_for(output._has_room, "the reader has read what the pipe held")
        output.write(b"last\n")

    asyncio.run(run())
    output.close()
    os.close(pipe[1])
    found = reader.end()
    counted = sum(int(number) for number in REPORT.findall(found))
    assert output.dropped == 0
    assert counted
    assert len(REPORT.sub(b"", found)) + counted == len(written_by(LONG_LINES)) + len(b"last\n")


@pytest.mark.parametrize("attached", [True, False], ids=["in the loop", "before the loop"])
@pytest.mark.parametrize("bytes_", [1, PIECE_BYTES, 3_000_000])
@pytest.mark.parametrize("kind", ["file", "null"])
def test_a_regular_file_and_the_null_device_take_all(tmp_path: Path, kind: str, bytes_: int, attached: bool) -> None:
    path = tmp_path / "log" if kind == "file" else Path(os.devnull)

    async def run(output: Output) -> None:
        if attached:
            output.attach(asyncio.get_running_loop())
        output.write(b"x" * bytes_)
        assert not output.full

    with path.open("wb", buffering=0) as file:
        output = Output(file.fileno())
        asyncio.run(run(output))
        output.close()
    assert output.dropped == 0
    assert kind == "null" or path.read_bytes() == b"x" * bytes_


def test_a_full_disk_drops_and_counts_at_once() -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        output = Output(file.fileno())
        output.write(b"x" * 10)
    assert output.dropped == 10


# -- a reader that reads nothing --------------------------------------------------------------------------------------


def test_a_reader_that_takes_nothing_does_not_block_and_learns_what_it_missed(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)
    output = Output(pipe[1])

    async def run() -> None:
        loop = asyncio.get_running_loop()
        output.attach(loop)
        began = time.monotonic()
        output.write(b"x" * 500_000)
        assert output.dropped == 0, "it does not wait until its patience is at an end"
        await wait_for(lambda: output.dropped, "output is dropped")
        assert time.monotonic() - began >= 0.2
        dropped = output.dropped
        turns = count_turns(loop)
        output.write(b"y" * 100)
        assert output.dropped == dropped + 100, "no patience is left"
        await asyncio.sleep(0.3)
        assert turns() <= 4

    asyncio.run(run())
    taken = os.read(pipe[0], 1_000_000)
    assert len(taken) + output.dropped == 500_100
    dropped = output.dropped
    output.write(b"again\n")
    report = os.read(pipe[0], 4096)
    found = REPORT.search(report)
    assert found
    assert int(found[1]) == dropped
    assert report.endswith(b"again\n")
    assert output.dropped == 0


def test_a_worker_goes_on_while_nothing_is_read_and_is_read_again_afterwards(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)
    output = Output(pipe[1])

    async def run() -> None:
        output.attach(asyncio.get_running_loop())
        _child, exited = start(LONG_LINES, output)
        assert await asyncio.wait_for(exited, 30) == "exit status 0"
        assert output.dropped > 5_000_000
        taken = len(os.read(pipe[0], 1_000_000))
        dropped = output.dropped
        assert taken + dropped == 8_000_008
        _child, exited = start("print('second')", output)
        await exited
        report = os.read(pipe[0], 4096)
        assert REPORT.match(report)
        assert report.endswith(b"second\n")

    asyncio.run(run())


def test_before_the_loop_runs_it_waits_for_a_limited_time(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)
    output = Output(pipe[1])
    began = time.monotonic()
    output.write(b"x" * 1_000_000)
    assert time.monotonic() - began >= 0.2
    assert output.dropped > 0


def test_the_end_does_not_wait_for_a_slow_reader_to_take_all(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.5)

    async def fill() -> Output:
        output = Output(pipe[1])
        output.attach(asyncio.get_running_loop())
        output.write(b"x" * 1_000_000)
        return output

    reader = Reader(pipe[0], every=4096, pause=0.2)
    output = asyncio.run(fill())
    began = time.monotonic()
    output.close()
    # To take all, the reader needs 48 s.
    assert 0.5 <= time.monotonic() - began < 24
    os.close(pipe[1])
    reader.end()


# -- a reader that has gone -------------------------------------------------------------------------------------------


def test_a_reader_that_has_gone_is_no_error(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    output = Output(pipe[1])
    output.write(b"lost")
    assert output.dropped == 4


def test_a_reader_that_goes_while_output_waits_for_it_costs_no_cpu(pipe: tuple[int, int]) -> None:
    """The kernel reports a full pipe without a reader as an error, for as long as it is watched."""
    output = Output(pipe[1])

    async def run() -> None:
        loop = asyncio.get_running_loop()
        output.attach(loop)
        output.write(b"x" * 500_000)
        assert output._buffer
        turns = count_turns(loop)
        os.close(pipe[0])
        await wait_for(lambda: output.dropped, "output is dropped")
        for _ in range(20):
            output.write(b"y")
        await asyncio.sleep(1.2 * module.STALL_SECONDS)
        assert turns() < 20

    asyncio.run(run())
    assert 0 < output.dropped <= 500_020


def test_a_worker_that_writes_without_a_reader_ends_as_usual(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    os.close(pipe[0])

    async def run() -> None:
        output.attach(asyncio.get_running_loop())
        _child, exited = start(LONG_LINES, output)
        assert await exited == "exit status 0"

    asyncio.run(run())
    assert output.dropped == 8_000_008


def test_a_terminal_that_has_gone_costs_no_cpu() -> None:
    master, terminal = pty.openpty()
    output = Output(terminal)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        output.attach(loop)
        os.close(master)
        turns = count_turns(loop)
        output.write(b"lost")
        await asyncio.sleep(0.1)
        assert turns() < 5

    asyncio.run(run())
    os.close(terminal)
    assert output.dropped == 4


# -- log lines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("journal", "level"), [(False, b""), (True, b"<4>")])
def test_each_line_of_a_record_states_its_level_for_the_journal(
    pipe: tuple[int, int], journal: bool, level: bytes
) -> None:
    handler = OutputHandler(Output(pipe[1]), journal=journal)
    handler.emit(logging.LogRecord("procmon", logging.WARNING, "", 0, "one\ntwo \udcff", (), None))
    assert os.read(pipe[0], 4096) == level + b"procmon: WARNING: one\n" + level + rb"two \udcff" + b"\n"


def test_the_journal_is_recognised_by_its_device_and_inode(pipe: tuple[int, int]) -> None:
    found = os.fstat(pipe[1])
    assert is_journal(pipe[1], {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    assert not is_journal(pipe[1], {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
    assert not is_journal(pipe[1], {})


def test_the_tail_keeps_whole_lines_of_the_end() -> None:
    tail = Tail()
    for number in range(5000):
        tail.add(b"line %d\n" % number)
    lines = tail.text().splitlines()
    assert lines[-1] == "line 4999"
    assert lines[0].startswith("line ")
    assert len(tail.text()) <= TAIL_BYTES
