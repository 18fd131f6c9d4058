"""python -m tests.bench.deploy: what a person waits for, from Enter to done.

Deploys a changed file, then nothing new, then reverts, beside a play with `ping` alone; each from cold over ssh to an
sshd of its own on this machine, through a proxy that delays every byte. Wall time, logins and remote executions are
medians of the rounds; sshd itself counts the last two. The original bash script and ansistrano run in the same way when
their paths are given. Then one project is deployed to many servers, and `status` asks for six projects on two.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.deploy import fleet, overview
from tests.bench.deploy.proxy import Line
from tests.bench.deploy.repository import Repository
from tests.bench.deploy.tools import Ansistrano, Original, Ours, OursFresh, Ping, Place, Tool
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd, program

# In a large repository, so many releases there must be before one can be made out of another.
WARM_UP = 3
LARGE = 50_000
STEPS = ("changed", "no change", "revert")


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    seconds: float
    logins: int
    executions: int


# One round: a cost for each of STEPS
Row = list[Cost]


def numbers(text: str) -> list[int]:
    """Read a list such as `0,20,80`; an empty text is an empty list."""
    return [int(word) for word in text.split(",") if word]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.bench.deploy", description=__doc__, formatter_class=described)
    parser.add_argument("--original", type=Path, metavar="PATH", help="the original's bash script, bin/deploy")
    parser.add_argument("--ansistrano", type=Path, metavar="PATH", help="holds ansistrano.deploy, ansistrano.rollback")
    parser.add_argument("--delays", type=numbers, default=[0, 20, 80], metavar="MS,…", help="round trips in ms")
    parser.add_argument("--projects", type=numbers, default=[1, 6, 20], metavar="N,…", help="inventory hosts")
    parser.add_argument("--servers", type=numbers, default=[2, 20, 50], metavar="N,…", help="of one project")
    parser.add_argument("--files", type=numbers, default=[30, LARGE], metavar="N,…", help="in the repository")
    parser.add_argument("--status", type=numbers, default=[0, 20, 80], metavar="MS,…", help="round trips for status")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    return parser.parse_args()


def compared(wanted: argparse.Namespace, files: int) -> dict[str, Callable[[Place], Tool]]:
    """Name the tools to compare; in a large repository ours also while no release can be made out of another."""
    tools: dict[str, Callable[[Place], Tool]] = {
        "ping": lambda place: Ping(place, Path()),
        "onetouch": lambda place: Ours(place, Path()),
    }
    if files >= LARGE:
        tools["onetouch first"] = lambda place: OursFresh(place, Path())
    if wanted.original:
        tools["original"] = lambda place: Original(place, wanted.original.resolve())
    if wanted.ansistrano:
        tools["ansistrano"] = lambda place: Ansistrano(place, wanted.ansistrano.resolve())
    return tools


def cost(sshd: Sshd, action: Callable[[], None]) -> Cost:
    """Measure one command."""
    before, start = sshd.counts(), time.monotonic()
    action()
    seconds = time.monotonic() - start
    seen = sshd.counts().since(before)
    return Cost(seconds, seen.logins, seen.executions)


def measure(tools: dict[str, Tool], warm_up: int, rounds: int) -> dict[str, list[Row]]:
    """Deploy something new, nothing new, and revert, so many times; the tools take turns: all see one machine."""
    rows: dict[str, list[Row]] = {name: [] for name in tools}
    for tool in tools.values():
        tool.set_up()
    for number in range(warm_up + rounds):
        repository = next(iter(tools.values())).place.repository
        repository.publish()
        for name, tool in tools.items():
            actions = [tool.deploy] if number < warm_up else [tool.deploy, tool.deploy, tool.revert]
            rows[name].append([cost(tool.place.sshd, action) for action in actions])
    return {name: costs[warm_up:] for name, costs in rows.items()}


def show(label: str, rows: list[Row]) -> None:
    """Print one line."""
    cells = []
    for costs in zip(*rows, strict=True):
        seconds = median(cost.seconds for cost in costs)
        logins = median(cost.logins for cost in costs)
        executions = median(cost.executions for cost in costs)
        cells.append(f"{seconds:7.2f} s {logins:3.0f} / {executions:<4.0f}")
    print(f"{label:54}" + " | ".join(cells), flush=True)


def compare(wanted: argparse.Namespace, folder: Path, sshd: Sshd) -> None:
    """Measure every tool in every case."""
    # Many projects in a large repository would measure the disk.
    cases = [(files, count) for files in wanted.files for count in wanted.projects if files < LARGE or count == 1]
    for files, count in cases:
        repository = Repository(folder / f"{files}-{count}", files)
        for delay in wanted.delays:
            with Line(sshd.port, delay / 1000) as line, tempfile.TemporaryDirectory(dir=folder) as home:
                tools = {
                    name: make(Place(Path(home) / name.replace(" ", "-"), sshd, line.port, repository, count))
                    for name, make in compared(wanted, files).items()
                }
                measured = measure(tools, WARM_UP if files >= LARGE else 1, wanted.rounds)
            for name, rows in measured.items():
                show(f"{name:16} {files:6} files {count:3} projects {delay:4} ms", rows)


def measure_status(delays: list[int], rounds: int) -> None:
    """Measure `status` beside `ping`, in turns."""
    for delay in delays:
        with ExitStack() as stack:
            ready = overview.prepared(stack, delay)
            rows: dict[str, list[Row]] = {name: [] for name in ready.ways()}
            for _ in range(rounds):
                for name, action in ready.ways().items():
                    rows[name].append([cost(ready.place.sshd, action)])
        for name, row in rows.items():
            show(f"{name:40} {delay:4} ms", row)


def main() -> int:
    """Measure what was asked for."""
    wanted = arguments()
    for name in ("original", "ansistrano"):
        if getattr(wanted, name) is None:
            print(f"without {name}: its path was not given (--{name} PATH)")
    print(f"{'medians: seconds, logins / remote executions':54}" + " | ".join(f"{step:^20}" for step in STEPS))
    for name in ("sshd", "ssh", "ssh-keygen"):
        program(name)
    with tempfile.TemporaryDirectory(prefix="bench-deploy-") as folder, ssh_server(Path(folder) / "sshd") as server:
        compare(wanted, Path(folder), Sshd(server))
    fleet.measure(wanted.servers, wanted.rounds)
    measure_status(wanted.status, wanted.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
