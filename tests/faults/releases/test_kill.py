# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed right before any single change of the disk: one whole release is live, and the next command puts all right.

A seeded sample of the points; another number with TORTURE=<number>, all of them with
TORTURE=all (`make torture`).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

from tests.support.releases.invariants import assert_agreement, torn
from tests.support.releases.site import Site
from tests.support.releases.tracer import Point, Tracer
from tests.support.releases.upstream import git

SEED = 20261123
SAMPLE = 1
WANTED = os.environ.get("TORTURE", str(SAMPLE))
IN_PLACE: dict[str, object] = {"strategy": "in_place"}
FollowUp = Callable[["Site", "Case"], None]


@dataclass(frozen=True)
class Case:
    """Versions that are deployed in turn, the state in which a run is killed, and the run's options."""

    name: str
    before: tuple[str, ...]
    upcoming: str = ""
    options: dict[str, object] = field(default_factory=dict)
    common: dict[str, object] = field(default_factory=dict)
    foreign: int = 0
    settings: str = ""
    """Where this is set each version has a configuration of its own name, and the run one with this name."""

    def build(self, site: Site) -> None:
        """Bring the project to where the run begins."""
        for version in self.before:
            site.upstream.commit(version, app_py=f"x = '{version}'", bin__tool="#!/bin/sh", same_py="")
            take_over(site) if self.foreign else site.run(ref="master", **self.common, **self.configuration(version))
        if self.upcoming:
            site.upstream.commit(self.upcoming, app_py=f"x = '{self.upcoming}'", new__file="")

    @property
    def run(self) -> dict[str, object]:
        configuration = self.configuration(self.settings)
        return {"ref": "origin/master", "post_deploy": "true", **self.common, **self.options, **configuration}

    def configuration(self, name: str) -> dict[str, object]:
        """Return the options of a configuration in which every part has this name."""
        if not self.settings:
            return {}
        return {"config": {"app": f"{name}:app", "bind": "127.0.0.1:1"}, "env": {"NAME": name}}

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """Return the versions that may be live with the configuration of each."""
        going_back = self.options.get("state") == "reverted"
        target = self.upcoming or self.before[-2 if going_back else -1]
        return {*((version, version) for version in self.before[-1:]), (target, self.settings)}

    @property
    def possible(self) -> set[str]:
        return {*self.before[-2:], self.upcoming}


CASES = (
    Case("first", (), "v1"),
    Case("second", ("v0", "v1", "v2"), "v3", {"keep": 1}),
    Case("revert", ("v1", "v2"), "", {"state": "reverted"}),
    Case("prepare", ("v1",), "v2", {"state": "prepared"}),
    Case("put_back", ("v1",), "v2", {"test": "false"}),
    Case("taken_over", ("v1",), "v2", foreign=1),
    Case("configured", ("v1",), "v2", settings="v2"),
    Case("first_configured", (), "v1", settings="v1"),
    Case("settings", ("v1",), "", settings="other"),
    Case("put_back_configured", ("v1",), "v2", {"test": "false"}, settings="v2"),
    Case("revert_configured", ("v1", "v2"), "", {"state": "reverted"}, settings="other"),
    Case("first_in_place", (), "v1", {}, IN_PLACE),
    Case("in_place", ("v1",), "v2", {}, IN_PLACE),
)


@dataclass(frozen=True)
class Death:
    """Where and how a run dies; `parent` as in `Tracer.kill`."""

    in_git: bool
    signal: str = "SIGKILL"
    parent: str = ""


WHO = {
    "module": Death(in_git=False),
    "module by SIGTERM": Death(in_git=False, signal="SIGTERM"),
    "git": Death(in_git=True, parent="with"),
    "git alone": Death(in_git=True),
    "module while git works": Death(in_git=True, signal="SIGSTOP", parent="first"),
}


def take_over(site: Site) -> None:
    """What the original script leaves: the clone is live, and has uploads in it."""
    site.path.mkdir()
    git(site.path, "clone", "--quiet", str(site.upstream.url), "source")
    (site.paths.source / "public/system").mkdir(parents=True)
    (site.paths.source / "public/system/photo").write_text("cat", encoding="utf-8")
    site.paths.current.symlink_to(site.paths.source)
    site.paths.deploys.write_text(git(site.paths.source, "rev-parse", "--short", "HEAD") + "\n", encoding="utf-8")


def pairs() -> list[tuple[Case, str]]:
    """Return what dies in which case. A small sample kills no git, which knows no settings, where these are changed."""
    small = str(SAMPLE) == WANTED
    few = {"module", "module while git works"}
    return [(case, who) for case in CASES for who in WHO if not (small and case.settings and who not in few)]


class Rerun:
    """A project that is brought back to the same state as often as one likes."""

    def __init__(self, site: Site, scratch: Path) -> None:
        self.site, self.base = site, scratch / "base"
        if site.path.exists():
            self._copy(site.path, self.base)

    def again(self) -> None:
        shutil.rmtree(self.site.path, ignore_errors=True)
        if self.base.exists():
            self._copy(self.base, self.site.path)

    @staticmethod
    def _copy(old: Path, new: Path) -> None:
        subprocess.run(["/bin/cp", "-a", str(old), str(new)], check=True)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("case", "who"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in pairs()])
def test_killed_before_any_change(site: Site, tmp_path: Path, case: Case, who: str) -> None:
    case.build(site)
    tracer, rerun = Tracer(tmp_path / "trace", site.path), Rerun(site, tmp_path)
    options = site.options(**case.run)
    points = tracer.git_points(options) if WHO[who].in_git else tracer.module_points(options)
    assert len(points) > SAMPLE
    killed = 0
    for number, point in enumerate(chosen(points, case.name + who)):
        at = replace(point, signal=WHO[who].signal)
        rerun.again()
        tracer.kill(at, options, WHO[who].parent)
        killed += tracer.hit(at)
        check(site, case, at, follow_up(case.name + who, number))
    assert killed


def chosen(points: list[Point], seed: str) -> list[Point]:
    """All points, or some that are the same in each run."""
    if WANTED == "all":
        return points
    return random.Random(f"{SEED}{seed}").sample(points, min(int(WANTED), len(points)))  # noqa: S311  no secret


def check(site: Site, case: Case, at: Point, follow: FollowUp) -> None:
    """What is live is whole; each command in turn then finds its way."""
    try:
        assert_whole(site, case)
        follow(site, case)
        if site.paths.current.exists():
            assert torn(site.paths.current.resolve()) == []
            assert_agreement(site, case.foreign)
        finish(site, case)
    except (AssertionError, ReleaseError) as wrong:
        raise AssertionError(f"after {at}\n{wrong}") from wrong


def assert_whole(site: Site, case: Case) -> None:
    """Right after the kill; in place the files are in the middle of their change, which is what the strategy means."""
    if not site.paths.current.is_symlink():
        assert not case.before
        return
    assert case.common == IN_PLACE or torn(site.paths.current.resolve()) == []
    assert case.common == IN_PLACE or site.version in case.possible
    if case.settings:
        assert (site.version, live_configuration(site)) in case.pairs


def live_configuration(site: Site) -> str:
    """Return the name of the live configuration, which is whole."""
    toml = site.paths.procmon_toml.read_text(encoding="utf-8")
    [app] = re.findall('app = "(.*):app"', toml)
    [env_file] = re.findall('env_file = "(.*)"', toml)
    assert Path(env_file).read_text(encoding="utf-8") == f'NAME="{app}"\n'
    return str(app)


def deploy(site: Site, case: Case) -> None:
    site.run(ref="origin/master", **case.common, **case.configuration("newest"))


def revert(site: Site, case: Case) -> None:
    """Go one line back; with a log that does not reach so far that is an error, and what is live stays."""
    try:
        site.revert(**case.common)
    except ReleaseError as refused:
        assert "cannot go back" in refused.msg or "option repo is not set" in refused.msg  # noqa: PT017


def ask(site: Site, case: Case) -> None:
    """Asking puts nothing right, and says what is wrong."""
    answered = site.info()
    assert (answered["interrupted"] is not None) is site.paths.state.exists()
    assert answered["locked_by"] is None
    deploy(site, case)


FOLLOWING: tuple[FollowUp, ...] = (deploy, revert, ask)


def follow_up(seed: str, number: int) -> FollowUp:
    """Choose what is done after a kill: all in turn, and in a small sample not always the same."""
    return FOLLOWING[(zlib.crc32(seed.encode()) + number) % len(FOLLOWING)]


def finish(site: Site, case: Case) -> None:
    """The newest version goes live, whatever has happened; a second time nothing changes."""
    deploy(site, case)
    assert site.version == (site.upstream.work / "VERSION").read_text().strip()
    assert torn(site.paths.current.resolve()) == []
    assert not site.run(ref="origin/master", **case.common, **case.configuration("newest")).changed
    if case.settings:
        assert live_configuration(site) == "newest"
    assert_agreement(site, case.foreign)
    for place in (site.paths.source, site.paths.current) if case.foreign else ():
        assert (place / "public/system/photo").read_text(encoding="utf-8") == "cat"
    assert not site.paths.unfinished.exists()
    git(site.paths.source, "fsck", "--no-dangling", "--connectivity-only")
