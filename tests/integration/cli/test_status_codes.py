"""What `status`, `list` and `doctor` report to machines: one exit code for what is shown and for what --json has."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable

import pytest

from tests.integration.cli.conftest import Desk
from tests.integration.playbooks.conftest import Upstream
from tests.support.ports import free_port

Change = Callable[[Desk, Upstream], None]
CURRENT = {"ref": "origin/main"}


def is_well(_desk: Desk, _upstream: Upstream) -> None:
    """Leave it as it is deployed."""


def is_behind(_desk: Desk, upstream: Upstream) -> None:
    upstream.commit("two")


def is_touched_by_hand(desk: Desk, _upstream: Upstream) -> None:
    log = desk.folder / "srv/blog/.deploys"
    log.write_text(f"{log.read_text()}{'f' * 7}\n")


def is_down(desk: Desk, upstream: Upstream) -> None:
    """It has an app, which nothing serves."""
    desk.project("blog", upstream, **CURRENT, app="main:app", bind="127.0.0.1:3001")


def cannot_answer(desk: Desk, _upstream: Upstream) -> None:
    link = desk.folder / "srv/blog/current"
    link.unlink()
    link.mkdir()


def is_away(desk: Desk, upstream: Upstream) -> None:
    login = {"connection": None, "host": "127.0.0.1", "port": free_port(), "user": getpass.getuser()}
    desk.project("shop", upstream, **login)


def is_wrong(desk: Desk, _upstream: Upstream) -> None:
    desk.config.write_text(desk.config.read_text().replace('"ref"', '"reff"'))


# The command, its code, what is shown in both forms, and the outcome in the document's `errors`.
CASES: list[tuple[Change, str, int, str, str | None]] = [
    (is_well, "all", 0, "Say one", None),
    (is_behind, "all", 0, "Say one", None),
    (is_touched_by_hand, "all", 2, "the log ends with fffffff, live is", "failed"),
    (is_down, "all", 2, "procmon is not running; doctor shows why", "failed"),
    (cannot_answer, "all", 2, "current is not a symlink", "failed"),
    (is_away, "all", 4, "Connection refused", "unreachable"),
    (is_wrong, "all", 4, "reff: unknown key; did you mean 'ref'?", "refused"),
    (is_well, "blgo", 5, 'There is no project "blgo". Known projects: blog.', "refused"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def test_text_and_json_end_alike(
    desk: Desk, upstream: Upstream, case: tuple[Change, str, int, str, str | None]
) -> None:
    change, project, code, says, outcome = case
    desk.project("blog", upstream, **CURRENT)
    desk.environment["ANSIBLE_STDOUT_CALLBACK"] = "onetouch.deploy.terminal"
    assert desk.deploy("blog").code == 0
    change(desk, upstream)
    text, found = desk.deploy(project, "status"), desk.deploy(project, "status", "--json")
    assert (text.code, found.code) == (code, code), text.out + text.err
    assert (text.out + text.err).count(says) == 1
    document = json.loads(found.out)
    assert document["exit_code"] == code
    assert [error["outcome"] for error in document["errors"]] == ([outcome] if outcome else [])
    assert says in f"{document}{found.err}"
    answered = outcome != "refused"
    assert {result["project"] for result in document["results"]} == ({*desk.projects} if answered else set())


@pytest.mark.parametrize("command", ["list", "history"])
def test_a_server_that_is_away_hides_no_other(desk: Desk, upstream: Upstream, command: str) -> None:
    """The exit code is that of status."""
    desk.project("blog", upstream, **CURRENT)
    assert desk.deploy("blog").code == 0
    is_away(desk, upstream)
    text, found = desk.deploy("all", command), desk.deploy("all", command, "--json")
    assert (text.code, found.code) == (4, 4), text.out + text.err
    assert upstream.git("rev-parse", "main")[:7] in text.out
    assert text.err.startswith("deploy: shop@127.0.0.1: cannot be reached: ")
    document = json.loads(found.out)
    assert [(error["host"], error["outcome"]) for error in document["errors"]] == [("shop@127.0.0.1", "unreachable")]
    assert [(result["project"], result["ok"]) for result in document["results"]] == [("blog", True)]


def test_the_document_of_doctor_has_its_findings(desk: Desk, upstream: Upstream) -> None:
    """Each host has its own, and fails for them alone."""
    desk.project("blog", upstream, **CURRENT)
    desk.project("shop", upstream, **CURRENT)
    assert desk.deploy("blog").code == 0
    done = desk.deploy("all", "doctor", "--json")
    document = json.loads(done.out)
    assert (done.code, document["exit_code"], document["errors"]) == (2, 2, [])
    texts = {}
    for result in document["results"]:
        wrong = [one["text"] for one in result["findings"] if one["is_right"] is False]
        assert (result["ok"], result.get("msg", "")) == (not wrong, " ".join(wrong))
        texts[result["project"]] = [one["text"] for one in result["findings"]]
    commit = upstream.git("rev-parse", "main")
    assert f"live: {commit[:12]} Say one" in texts["blog"]
    assert "live: not set up. Run setup" in texts["shop"]
