"""python -m tests.bench.reload: act under load, count losses; exit 1 when procmon lost a request.

An action is a reload, or what else replaces workers or procmon while users are at work: recycled workers, an upgrade in
place, a stop with a start behind a held socket. A run ends when both its actions and its requests are done. Bare
uvicorn, which can only be reloaded, runs beside it, so that one sees that the test detects loss.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from itertools import product
from pathlib import Path

from tests.bench.reload.client import Change
from tests.bench.reload.load import Counts, Load
from tests.bench.reload.servers import ACTIONS, SERVERS, Server
from tests.support.ports import free_port

LOOPS, PROTOCOLS = ("asyncio", "uvloop"), ("h11", "httptools")
# Between two actions: long enough for connections to become idle on the new workers
PAUSE_SECONDS = 0.3


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reload", description=__doc__)
    parser.add_argument("--server", choices=[*SERVERS], action="append", help="default: all")
    parser.add_argument("--action", choices=[*ACTIONS], default="reload", help="what is done (default: %(default)s)")
    parser.add_argument(
        "--times", type=int, default=200, help="how often in each combination, at least (default: %(default)s)"
    )
    parser.add_argument(
        "--requests", type=int, default=250_000, help="requests in each combination, at least (default: %(default)s)"
    )
    parser.add_argument(
        "--control-times", type=int, default=10, help="how often to the other servers (default: %(default)s)"
    )
    parser.add_argument(
        "--combination", action="append", metavar="LOOP/HTTP", help="such as uvloop/h11; default: all four"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the clients' pauses")
    return parser.parse_args()


async def measure(
    kind: type[Server], combination: str, times: int, requests: int, seed: int
) -> tuple[Counts, int, float]:
    """Act on one server in one combination until both numbers are reached; give counts, actions and seconds."""
    loop, http = combination.split("/")
    with tempfile.TemporaryDirectory() as folder:
        server = kind(free_port(), loop, http, Path(folder))
        await server.start()
        load, begin, done = Load(server.port, seed), time.monotonic(), 0
        load.start()
        try:
            while done < times or load.counts.answered.total() < requests:
                await asyncio.sleep(PAUSE_SECONDS)
                began = time.monotonic()
                await server.act()
                if server.renews:
                    load.changes.append(Change(began, time.monotonic()))
                done += 1
            counts = await load.stop()
        finally:
            await server.stop()
        return counts, done, time.monotonic() - begin


def show(name: str, combination: str, counts: Counts, times: int, seconds: float) -> None:
    """Print one row, and below it what was lost."""
    numbers = f"{times:4} times {counts.answered.total():9,} answered {counts.lost.total():6,} lost"
    print(f"{name:8} {combination:18} {numbers} {counts.lost.total() / times:7.2f} each time {seconds:6.0f} s")
    for (style, kind), number in counts.lost.most_common():
        print(f"{'':12}{number:6,} {style}: {kind}")
    sys.stdout.flush()


def main() -> int:
    """Measure what was asked for. Return 1 when procmon lost anything."""
    wanted = arguments()
    print(f"seed {wanted.seed}")
    lost: Counter[str] = Counter()
    combinations = wanted.combination or [f"{loop}/{http}" for loop, http in product(LOOPS, PROTOCOLS)]
    able = (wanted.server or [*SERVERS]) if wanted.action == "reload" else ["procmon"]
    for combination, name in product(combinations, able):
        ours = name == "procmon"
        kind = ACTIONS[wanted.action] if ours else SERVERS[name]
        least, requests = (wanted.times, wanted.requests) if ours else (wanted.control_times, 0)
        counts, times, seconds = asyncio.run(measure(kind, combination, least, requests, wanted.seed))
        show(name, combination, counts, times, seconds)
        lost[name] += counts.lost.total()
    print(f"procmon lost {lost['procmon']}")
    return 1 if lost["procmon"] else 0


if __name__ == "__main__":
    sys.exit(main())
