# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deploy costs follows the size of the change, not of the repository: counted, no clock is asked."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from tests.support.releases.site import Site
from tests.support.releases.tracer import LINE, Tracer
from tests.support.releases.upstream import Upstream

# Of the changes of a disk those that do not come in pieces: the index of git is one file, written in many.
WHOLE = re.compile(r"(?!p?write|copy_file_range)\w+")
MANY, FEW = 3000, 30
BLOBS, BLOB = 8, 8 << 20


def changes_of_one_file(below: Path, files: int) -> Counter[str]:
    """Which calls change the disk when one file of so many changes, and a release can be made out of another."""
    below.mkdir()
    upstream = Upstream.make(below)
    site = Site(below / "blog", upstream)
    everything = {
        f"d{number % 30}__file{number}_{kind}": "x = 1" for number in range(files // 2) for kind in ("py", "txt")
    }
    upstream.commit("one", "master", None, **everything)
    site.deploy(keep=1)
    for version in ("two", "three"):
        upstream.commit(version, d0__file0_py=f"x = '{version}'")
        site.deploy(keep=1)
    upstream.commit("four", d0__file0_py="x = 'four'")
    calls = map(LINE.fullmatch, Tracer(below / "trace", site.path).record(site.options(ref="master", keep=1)))
    assert site.version == "four"
    return Counter(
        call["name"] for call in calls if call and WHOLE.fullmatch(call["name"]) and str(site.path) in call[0]
    )


def test_a_change_of_one_file_costs_the_same_in_a_small_and_in_a_big_repository(tmp_path: Path) -> None:
    few, many = (changes_of_one_file(tmp_path / str(files), files) for files in (FEW, MANY))
    assert abs(many.total() - few.total()) <= 10, (few, many)
    assert few.total() > 10


def test_a_long_history_is_fetched_once(site: Site, upstream: Upstream) -> None:
    for number in range(BLOBS):
        (upstream.work / "movie").write_bytes(os.urandom(BLOB))
        upstream.commit(f"movie {number}")
    (upstream.work / "movie").unlink()
    upstream.commit("one")
    # By its path alone a clone would link the objects.
    address = f"file://{upstream.url}"
    site.deploy(repo=address)
    assert sum(objects(site).values()) > BLOBS * BLOB
    before = objects(site)
    upstream.commit("two")
    site.deploy(repo=address)
    assert sum(size for path, size in objects(site).items() if path not in before) < 10_000
    assert sum(path.stat().st_size for path in site.paths.current.rglob("*") if path.is_file()) < 10_000


def objects(site: Site) -> dict[Path, int]:
    """What the clone keeps, by size."""
    found = (site.paths.source / ".git/objects").rglob("*")
    return {path: path.stat().st_size for path in found if path.is_file()}
