"""What a process and its descendants use, read from /proc."""

from __future__ import annotations

from pathlib import Path

from tests.bench.reload.servers import children

KIB = 1024


def descendants(pid: int) -> list[int]:
    """Return `pid` and everything below it."""
    found = [pid]
    for child in children(pid):
        found += descendants(child)
    return found


def pss_mib(pid: int) -> float:
    """Sum up the proportional set size of the whole tree, in MiB; one that ends at that moment counts nothing."""
    return sum(pss_kib(each) for each in descendants(pid)) / KIB


def pss_kib(pid: int) -> int:
    """Return the proportional set size of one process, in KiB; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the threads of one process have used; the kernel counts it in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def holdings(pid: int) -> dict[str, int]:
    """Count what a process must not collect: file descriptors, threads, and KiB of resident memory."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "fds": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
        "rss_kib": int(status["VmRSS"].split()[0]),
    }
