"""--json prints one document however a command ends, with the exit code and the reason of a failure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk
from tests.integration.cli.test_exec import running
from tests.integration.playbooks.conftest import Upstream
from tests.support.waiting import until

MISSING = "project blog: 'path' is missing"
UNKNOWN_PROJECT = 'There is no project "blgo". Known projects: blog.'
UNKNOWN_SERVER = "blog has no server web9. Known servers: localhost."
REFUSED: list[tuple[Sequence[str], int, str]] = [
    (["blgo", "--json"], 5, UNKNOWN_PROJECT),
    (["blgo", "config", "--json"], 5, 'There is no project "blgo" in '),
    (["blog", "--json", "--server", "web9"], 5, UNKNOWN_SERVER),
    (["blog", "exec", "--json", "--server", "web9", "ls"], 5, UNKNOWN_SERVER),
    (["blog", "config", "--json", "--server", "web9"], 5, UNKNOWN_SERVER),
    (["--server", "web9", "--json", "status"], 5, "There is no server web9. Known servers: localhost."),
    (["-c", "no.yml", "blog", "--json"], 2, "There is no file "),
    (["blog", "revert", "none", "--json"], 2, "none is not a whole number of 1 or more"),
    (
        ["blog", "exec", "--json", "--", "ls", b"\xff".decode(errors="surrogateescape")],
        2,
        "argv has a byte that is not UTF-8",
    ),
    (["--json", "blog", "logs"], 2, "logs prints what the servers write, and has no --json. Leave it out."),
    (["blog", "remove", "--json"], 2, "remove asks before it removes anything"),
    (["blog", "--json", "-e", "refs=1"], 5, "Unknown variable given with -e: refs. Did you mean ref?"),
    (["blog", "config", "keeep", "--json"], 1, "There is no key keeep: did you mean 'keep'?"),
]


@pytest.mark.parametrize(("words", "code", "reason"), REFUSED, ids=repr)
def test_what_is_refused(desk: Desk, upstream: Upstream, words: Sequence[str], code: int, reason: str) -> None:
    desk.project("blog", upstream)
    done = desk.deploy(*words)
    document = json.loads(done.out)
    assert (done.code, document["exit_code"], document["results"]) == (code, code, [])
    [error] = document["errors"]
    assert reason in error["msg"]
    assert (error["host"], error["outcome"]) == ("", "refused")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [["blog"], ["blog", "config"], ["blog", "--server", "localhost"]], ids=" ".join)
def test_a_configuration_that_is_not_valid(desk: Desk, upstream: Upstream, words: Sequence[str]) -> None:
    """All that is wrong, with its line."""
    desk.project("blog", upstream, path=None)
    desk.environment["ANSIBLE_STDOUT_CALLBACK"] = "onetouch.deploy.terminal"
    done = desk.deploy(*words, "--json")
    document = json.loads(done.out)
    assert (done.code, document["exit_code"]) == (4, 4)
    assert f"projects.yml:2: {MISSING}" in document["errors"][0]["msg"]


@pytest.mark.parametrize(
    "words", [["blog", "exec", "ls"], ["blog", "console"], ["blog", "logs"], ["blog"]], ids=" ".join
)
def test_an_unknown_server_has_one_code(desk: Desk, upstream: Upstream, words: Sequence[str]) -> None:
    desk.project("blog", upstream)
    done = desk.deploy("--server", "web9", *words)
    assert (done.code, "blog has no server web9. " in done.err) == (5, True)


def test_an_interrupted_run(desk: Desk, upstream: Upstream) -> None:
    started = desk.folder / "started"
    desk.project("blog", upstream, ref="origin/main", pre_deploy=f"touch {started}; sleep 1000")
    with running(desk, "blog", "--json") as under_way:
        until(started.exists, "the hook")
        under_way.process.terminate()
        assert under_way.process.stdout
        document = json.loads(under_way.process.stdout.read())
    assert document["exit_code"] == 143
    assert [*document["errors"], *document["results"]] != []


def test_config_as_a_document(desk: Desk, upstream: Upstream) -> None:
    """Values as they are; on a terminal control characters are written as text."""
    desk.project("blog", upstream, post_deploy="echo \x1b[31m", keep=7)
    assert json.loads(desk.deploy("blog", "config", "keep", "--json").out)["results"] == [
        {"project": "blog", "ok": True, "key": "keep", "value": 7}
    ]
    [result] = json.loads(desk.deploy("blog", "config", "--json").out)["results"]
    assert (result["given"]["post_deploy"], result["given"]["keep"]) == ("echo \x1b[31m", 7)
    assert (result["defaults"]["hook_timeout"], "keep" in result["defaults"]) == (3600, False)
    assert Path(result["given"]["path"]) == desk.folder / "srv/blog"


def test_a_result_has_no_explanation_that_is_empty(desk: Desk, upstream: Upstream) -> None:
    """Ansible gives a failed task a placeholder for its traceback, and an unchanged project has an empty diff."""
    desk.project("blog", upstream, ref="origin/main")
    [failed] = json.loads(desk.deploy("blog", "v9.9", "--json").out)["results"]
    assert (failed["ok"], "v9.9" in failed["msg"]) == (False, True)
    assert "v9.9" in failed["reason"]
    assert not {"exception", "traceback_tail", "diff"} & failed.keys()
    [live] = json.loads(desk.deploy("blog", "--json", "--diff").out)["results"]
    assert live["diff"]["prepared"].startswith("+ ")
    [again] = json.loads(desk.deploy("blog", "--json", "--diff").out)["results"]
    assert (again["outcome"], "diff" in again) == ("unchanged", False)
