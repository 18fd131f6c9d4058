"""What a process takes: descriptors, threads, memory, time of the processor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Footprint(NamedTuple):
    """All that grows when something leaks."""

    descriptors: int
    threads: int
    children: int
    rss_bytes: int


def footprint(pid: int) -> Footprint:
    """Measure a process."""
    process = Path(f"/proc/{pid}")
    threads = list((process / "task").iterdir())
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    rss_bytes = int((process / "statm").read_text().split()[1]) * PAGE_BYTES
    return Footprint(len(list((process / "fd").iterdir())), len(threads), len(children), rss_bytes)


def holds_no_more(pid: int, before: Footprint) -> bool:
    """Return whether a process has no more descriptors, threads and children than `before`."""
    return all(now <= then for now, then in zip(footprint(pid)[:3], before[:3], strict=True))


def processor_seconds(pid: int) -> float:
    """Return the processor's time that a process and its children, as far as they have been reaped, have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND
