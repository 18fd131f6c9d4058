"""python -m tests.bench.boot: seconds, processor time and memory of ways to start workers, in turns.

Prints Markdown: medians, and their ratio to fresh interpreters. Fetches the packages of a larger app into a temporary
directory.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.procmon.tree import cpu_seconds, pss_kib
from tests.bench.reload.servers import APP, ROOT

WAYS = ("fresh", "ws none")
PACKAGES = ("fastapi", "sqlalchemy", "jinja2")
LARGE = """
import jinja2, sqlalchemy, sqlalchemy.orm, fastapi
app = fastapi.FastAPI()
page = jinja2.Environment(autoescape=True).from_string("<p>{{ x }}</p>" * 20)
@app.get("/")
def home():
    return {"page": page.render(x=1)}
"""


@dataclass(frozen=True)
class Start:
    """What the start of all workers took, and their memory before and after they have answered requests."""

    seconds: float
    cpu_seconds: float
    mib: float
    used_mib: float


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.boot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each way (default: %(default)s)")
    parser.add_argument("--workers", type=int, action="append", help="default: 2 and 4")
    return parser.parse_args()


@contextmanager
def started(way: str, count: int, app: str, paths: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start workers; all end with the block."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "BENCH_WS": "none" if way == "ws none" else "auto",
    }
    argv = [sys.executable, "-X", "faulthandler", str(Path(__file__).with_name("start.py")), app]
    with ExitStack() as ends:
        running = []
        for _ in range(count):
            process = subprocess.Popen(
                argv, cwd=ROOT, env=environment, process_group=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            running.append(ends.enter_context(process))
            ends.callback(end_group, process.pid)
        yield running


def end_group(leader: int) -> None:
    """End what one process has started, and itself."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def hear(processes: list[subprocess.Popen[bytes]], word: str) -> list[int]:
    """Wait until each worker has sent `word`; return their pids."""
    lines = [process.stdout.readline().split() for process in processes if process.stdout]
    assert [line[:1] for line in lines] == [[word.encode()]] * len(processes), lines
    return [int(pid) for _, pid in lines]


def measure(way: str, count: int, app: str, paths: list[str]) -> Start:
    """Start the workers once."""
    before, begin = time_of_children(), time.monotonic()
    with started(way, count, app, paths) as processes:
        pids = hear(processes, "ready")
        seconds = time.monotonic() - begin
        cpu = sum(map(cpu_seconds, pids)) + time_of_children() - before
        mib = sum(map(pss_kib, pids)) / 1024
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        hear(processes, "served")
        return Start(seconds, cpu, mib, sum(map(pss_kib, pids)) / 1024)


def time_of_children() -> float:
    """Return the processor time of all ended children."""
    return os.times().children_user + os.times().children_system


def table(starts: dict[str, list[Start]]) -> list[str]:
    """Make the rows of one case."""
    lines: list[str] = []
    base: dict[str, float] = {}
    for way, each in starts.items():
        cells = [way]
        for name in ("seconds", "cpu_seconds", "mib", "used_mib"):
            value = statistics.median(getattr(start, name) for start in each)
            base.setdefault(name, value)
            cells.append(f"{value:.2f} ({value / base[name]:.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measure each case."""
    wanted = arguments()
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder]
        subprocess.run([*argv, *PACKAGES], check=True, capture_output=True)
        (Path(folder) / "large.py").write_text(LARGE)
        for app in (APP, "large:app"):
            for count in wanted.workers or (2, 4):
                starts: dict[str, list[Start]] = defaultdict(list)
                for number in range(wanted.rounds + 1):
                    for way in WAYS:
                        start = measure(way, count, app, [str(ROOT), folder])
                        if number:  # the first one compiles
                            starts[way].append(start)
                print(f"\n| {app}, {count} workers | seconds | processor seconds | MiB | MiB after requests |")
                print("|---|---|---|---|---|")
                print("\n".join(table(starts)), flush=True)


if __name__ == "__main__":
    main()
