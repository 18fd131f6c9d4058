"""python -m tests.bench.procmon: procmon beside `uvicorn --workers 2` and gunicorn, in one run, taking turns.

Prints Markdown: medians, and their ratio to uvicorn's. Needs wrk; fetches gunicorn into a temporary directory.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.bench.procmon import measures
from tests.bench.procmon.gunicorn import Gunicorn, fetch
from tests.bench.procmon.tree import KIB, holdings, pss_kib, pss_mib
from tests.bench.reload.servers import Procmon, Server, Uvicorn
from tests.support.ports import free_port

LOOP, HTTP = "uvloop", "httptools"
Numbers = dict[str, dict[str, list[float]]]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.procmon", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server (default: %(default)s)")
    parser.add_argument("--reloads", type=int, default=200, help="reloads for growth (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="of load, and of idleness (default: %(default)s)")
    return parser.parse_args()


async def turn(server: Server, seconds: int) -> dict[str, float]:
    """Measure one start of one server."""
    await server.start()
    try:
        await server.reload()
        load = measures.throughput(server, seconds)
        return {
            "idle PSS of the tree, MiB": pss_mib(server.pid),
            "of that the master, MiB": pss_kib(server.pid) / KIB,
            "peak PSS during a reload, MiB": await measures.peak_mib(server),
            "master's idle CPU, %": await measures.idle_cpu_percent(server, seconds),
            "reload to first new answer, ms": 1000 * await measures.reload_seconds(server),
            "busiest worker's share of connections, %": await measures.busiest_share(server),
            "requests a second": load.requests,
            "processor time of a request, µs": load.cpu_us,
            "p99, ms": load.p99_ms,
        }
    finally:
        await server.stop()


async def growth(reloads: int) -> tuple[dict[str, int], dict[str, int]]:
    """Count what procmon's master holds after 10 reloads, and after `reloads`."""
    with tempfile.TemporaryDirectory() as folder:
        server = Procmon(free_port(), LOOP, HTTP, Path(folder))
        await server.start()
        try:
            for _ in range(10):
                await server.reload()
            before = holdings(server.pid)
            for _ in range(reloads - 10):
                await server.reload()
            return before, holdings(server.pid)
        finally:
            await server.stop()


def collect(kinds: dict[str, type[Server]], rounds: int, seconds: int) -> Numbers:
    """Measure the servers in turns, so that other load on the machine affects all of them."""
    numbers: Numbers = defaultdict(lambda: defaultdict(list))
    for number in range(rounds):
        for name, kind in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                server = kind(free_port(), LOOP, HTTP, Path(folder))
                for measure, value in asyncio.run(turn(server, seconds)).items():
                    numbers[measure][name].append(value)
        numbers["import of the app, ms"]["bare interpreter"].append(1000 * measures.import_seconds())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return numbers


def table(numbers: Numbers, names: list[str]) -> list[str]:
    """Make a Markdown table of medians, with the ratio to uvicorn's."""
    lines = ["| | " + " | ".join(names) + " | procmon : uvicorn |", "|---|" + "---|" * (len(names) + 1)]
    for measure, of in numbers.items():
        if "procmon" in of:
            medians = {name: statistics.median(of[name]) for name in names}
            ratio = f"{medians['procmon'] / medians['uvicorn']:.2f}" if medians["uvicorn"] else "-"
            cells = " | ".join(f"{medians[name]:.2f}" for name in names)
            lines.append(f"| {measure} | {cells} | {ratio} |")
    return lines


def main() -> None:
    """Measure, and print."""
    wanted = arguments()
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory() as packages:
        fetch(Path(packages))
        Gunicorn.packages = packages
        kinds = {"procmon": Procmon, "uvicorn": Uvicorn, "gunicorn": Gunicorn}
        numbers = collect(kinds, wanted.rounds, wanted.seconds)
    print("\n".join(table(numbers, [*kinds])))
    bare = statistics.median(numbers["import of the app, ms"]["bare interpreter"])
    ours = statistics.median(numbers["reload to first new answer, ms"]["procmon"])
    print(f"\nTouch to first new answer: {ours / bare:.2f} of a bare interpreter that imports the app ({bare:.0f} ms).")
    before, after = asyncio.run(growth(wanted.reloads))
    print(f"The master after 10 reloads {before}, after {wanted.reloads} {after}.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"bench: {error}: {error.stderr}") from error
