# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress file: what a run does, while it goes on; without it the run is the same."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.progress import (
    TAIL_CHARACTERS,
    HookOutput,
    Progress,
)

from tests.support.releases.site import Site, start_module
from tests.support.releases.upstream import Upstream
from tests.support.waiting import until


def deploy(site: Site, run: str = "a", **options: object) -> dict[str, Any]:
    """Deploy in a process of its own, and return its result."""
    given = {"name": "blog", "path": str(site.path), "repo": str(site.upstream.url), "ref": "master", "progress": run}
    return json.loads(start_module("releases", {**given, **options}).communicate(timeout=60)[0])  # type: ignore[no-any-return]


def events(site: Site) -> list[dict[str, Any]]:
    """Return what the file has."""
    return [json.loads(line) for line in site.paths.progress.read_text().splitlines()]


def phases(site: Site, kind: str) -> list[str]:
    """Return the phases that begin, or end."""
    return [str(event[kind]["name"] if kind == "end" else event[kind]) for event in events(site) if kind in event]


def test_a_run_writes_its_phases_commits_and_output(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("v1")
    answered = deploy(site, post_deploy="echo one; echo 'two\x1b[2J'")
    assert {event["run"] for event in events(site)} == {"a"}
    assert stat.S_IMODE(site.paths.progress.stat().st_mode) == 0o600
    assert phases(site, "start") == phases(site, "end") == [phase["name"] for phase in answered["phases"]]
    [found] = [event["found"] for event in events(site) if "found" in event]
    assert (found["commit"], found["commits"][0]["subject"]) == (sha, "v1")
    written = "".join(event["output"] for event in events(site) if "output" in event)
    assert written == "one\ntwo\\x1b[2J\n"
    assert answered["output"] == [{"name": "post_deploy", "text": written, "characters": len(written)}]


def test_output_is_written_while_the_hook_runs(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("v1")
    wait = f"echo waiting; while ! test -e {tmp_path}/go; do sleep 0.05; done"
    given = {"name": "blog", "path": str(site.path), "repo": str(upstream.url), "ref": "master", "progress": "a"}
    process = start_module("releases", {**given, "post_deploy": wait})
    until(lambda: site.paths.progress.exists() and "waiting" in site.paths.progress.read_text(), "the output")
    (tmp_path / "go").touch()
    assert json.loads(process.communicate(timeout=60)[0])["outcome"] == "live"


def test_the_phase_that_failed_is_marked(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    answered = deploy(site, test="false")
    failed = [phase["name"] for phase in answered["phases"] if phase.get("failed")]
    assert failed == ["test"]
    assert answered["reason"] == "test failed (exit 1): false"
    assert answered["now"].startswith("Nothing was live before")
    assert "put back" not in [phase["name"] for phase in answered["phases"]], "there is nothing to put back"
    assert answered["msg"] == f"blog: {answered['reason']}. {answered['now']}"
    deploy(site)
    upstream.commit("v2")
    assert "put back" in [phase["name"] for phase in deploy(site, test="false")["phases"]]


def test_each_run_begins_a_new_file(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    deploy(site, "a")
    with site.paths.progress.open() as old:
        deploy(site, "b")
        assert '"run": "a"' in old.read(), "a reader of the old one is not disturbed"
    assert {event["run"] for event in events(site)} == {"b"}


def test_without_the_option_nothing_is_written(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    assert "output" not in deploy(site, "", post_deploy="echo one")
    assert not site.paths.progress.exists()


def test_a_file_that_cannot_be_written_fails_no_deploy(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    (site.paths.progress / "in the way").mkdir(parents=True)
    answered = deploy(site, post_deploy="echo one")
    assert answered["outcome"] == "live"
    assert answered["output"][0]["text"] == "one\n"


def test_a_full_disk_ends_the_progress_alone() -> None:
    full = Progress("a", os.open("/dev/full", os.O_WRONLY))
    full.write({"start": "fetch"})
    assert full.descriptor is None
    full.write({"start": "switch"})


def test_the_result_has_the_end_of_what_a_hook_wrote(tmp_path: Path) -> None:
    """Also where its characters are cut in two, and when its log is gone."""
    log = tmp_path / "log"
    output = HookOutput(Progress("a"), "test", log, 0)
    log.write_bytes("三".encode()[:2])
    output.copy()
    assert output.result()["text"] == ""
    log.write_bytes(("三" + "x" * TAIL_CHARACTERS).encode())
    output.copy()
    assert output.result() == {"name": "test", "text": "x" * TAIL_CHARACTERS, "characters": TAIL_CHARACTERS + 1}
    log.unlink()
    output.copy()
    assert output.characters == TAIL_CHARACTERS + 1


def test_of_variables_the_file_has_the_names_only(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    answered = deploy(site, env={"TOKEN": "s3cret-Value"}, post_deploy="test $TOKEN = s3cret-Value && echo done")
    assert answered["outcome"] == "live"
    assert ["env.TOKEN"] in [event["found"]["settings"] for event in events(site) if "found" in event]
    assert "s3cret-Value" not in site.paths.progress.read_text()
