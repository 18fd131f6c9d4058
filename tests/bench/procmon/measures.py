"""The measures: each takes a running server and gives numbers."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median

from tests.bench.procmon.tree import cpu_seconds, descendants, pss_mib
from tests.bench.reload.client import Connection, request
from tests.bench.reload.servers import APP, ROOT, Server

# Between two requests: without a pause they would take the processor from the workers that boot.
PAUSE_SECONDS = 0.005
CONNECTIONS = 32
# More than what procmon's workers give to silent connections before they end.
DRAIN_SECONDS = 8.0
BURSTS = 20
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Throughput:
    """What wrk saw: requests a second, and the 99th percentile in milliseconds; and what one took of a processor."""

    requests: float
    p99_ms: float
    cpu_us: float


def import_seconds() -> float:
    """Time a bare interpreter that imports uvicorn and the app, and ends."""
    code = f"import uvicorn; uvicorn.Config({APP!r}).load()"
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - begin


async def reload_seconds(server: Server) -> float:
    """Time a reload from asking for it to the first answer of a new worker, asked on fresh connections."""
    old = {await _pid(server) for _ in range(50)}
    begin = time.perf_counter()
    reload = asyncio.create_task(server.reload())
    while await _pid(server) in old:
        await asyncio.sleep(PAUSE_SECONDS)
    seconds = time.perf_counter() - begin
    await reload
    return seconds


async def _pid(server: Server) -> str:
    connection = Connection(server.port)
    answer = await connection.ask(request())
    connection.close()
    return answer.pid


async def busiest_share(server: Server) -> float:
    """Return the share, in percent, of the worker with most of `CONNECTIONS` opened at once: the median of `BURSTS`."""
    return median([await _share_of_one_burst(server) for _ in range(BURSTS)])


async def _share_of_one_burst(server: Server) -> float:
    connections = [Connection(server.port) for _ in range(CONNECTIONS)]
    answers = await asyncio.gather(*(connection.ask(request()) for connection in connections))
    for connection in connections:
        connection.close()
    return 100 * Counter(answer.pid for answer in answers).most_common(1)[0][1] / CONNECTIONS


async def peak_mib(server: Server) -> float:
    """Return the most that the whole tree uses while it reloads."""
    reload = asyncio.create_task(server.reload())
    most = 0.0
    while not reload.done():
        most = max(most, pss_mib(server.pid))
        await asyncio.sleep(0.02)
    await reload
    return most


async def idle_cpu_percent(server: Server, seconds: float) -> float:
    """Return the master's share of one core while there are no requests, and no worker is left of the last reload."""
    await asyncio.sleep(DRAIN_SECONDS)
    before = cpu_seconds(server.pid)
    await asyncio.sleep(seconds)
    return 100 * (cpu_seconds(server.pid) - before) / seconds


def throughput(server: Server, seconds: int, *headers: str) -> Throughput:
    """Run wrk over 32 keep-alive connections."""
    argv = ["wrk", "--latency", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{server.port}/"]
    for header in headers:
        argv += ["-H", header]
    before = _cpu_of_all(server)
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    used = _cpu_of_all(server) - before
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    if found is None or rate is None or count is None or "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"wrk: {text}")
    return Throughput(float(rate[1]), float(found[1]) * UNITS_MS[found[2]], 1e6 * used / int(count[1]))


def _cpu_of_all(server: Server) -> float:
    return sum(cpu_seconds(pid) for pid in descendants(server.pid))
