"""What doctor reports: of each thing that it is right, or what to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _doctor
from ansible_collections.onetouch.deploy.plugins.plugin_utils._doctor import Finding
from ansible_collections.onetouch.deploy.plugins.plugin_utils._obstacles import Wanted

WANTED = Wanted("blog", "web1", "/srv/blog", "git@host:blog.git", "deploy", "deploy", app=True, bind="127.0.0.1:1")


def service(**changed: object) -> dict[str, Any]:
    """Return the facts of a project that serves."""
    return {
        "hooks": {"path": "/bin", "variables": ["A", "B"], "error": ""},
        "restart_file": {"path": "/srv/blog/current/restart", "exists": True, "writable": True},
        "units": {"service": {"ActiveState": "active", "SubState": "running", "UnitFileState": "enabled"}},
        "answer": {"status": 200, "error": ""},
        "front": {"nginx": True, "files": ["/etc/nginx/conf.d/blog.conf"]},
        **changed,
    }


def texts(**changed: object) -> list[str]:
    """Return the report's lines about a service."""
    found = _doctor.service(WANTED, service(**changed), _doctor.ACCEPTED)
    return [line.strip() for line in _doctor.report({"blog@web1": [*found]})[1:]]


def test_a_service_that_is_right() -> None:
    assert texts() == [
        "ok  hooks: PATH is /bin; variables: A, B",
        "ok  restart file: /srv/blog/current/restart",
        "ok  unit: procmon@blog.service runs, and is started at boot",
        "ok  answer: 200 on 127.0.0.1:1",
        "ok  nginx: /etc/nginx/conf.d/blog.conf passes to 127.0.0.1:1",
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"hooks": {"path": "", "variables": [], "error": "env_file /x cannot be read"}},
            "NO  env_file /x cannot be read",
        ),
        (
            {"restart_file": {"path": "/r", "writable": False}},
            "NO  restart file: deploy cannot touch /r. Let deploy own it and its directory",
        ),
        (
            {"units": {"service": {"ActiveState": "failed", "SubState": "failed"}}},
            "NO  unit: procmon@blog.service is failed (failed). Look at its log: journalctl -u procmon@blog.service; "
            "if it is not there, run setup",
        ),
        (
            {"units": {"service": {"ActiveState": "active", "UnitFileState": "disabled"}}},
            "NO  unit: procmon@blog.service runs, but is not started at boot. Run setup",
        ),
        (
            {"answer": {"status": None, "error": "refused"}},
            "NO  answer: none on 127.0.0.1:1 (refused). Look at its log: journalctl -u procmon@blog",
        ),
        (
            {"answer": {"status": 500, "error": ""}},
            "NO  answer: 500 on 127.0.0.1:1, not 200 or 302. "
            "Set heartbeat.path, heartbeat.host_header or heartbeat.accept",
        ),
        ({"front": {"nginx": True, "files": []}}, "--  nginx: no file that deploy can read names 127.0.0.1:1"),
    ],
)
def test_what_is_wrong_and_what_to_do(changed: dict[str, object], line: str) -> None:
    assert line in texts(**changed)


@pytest.mark.parametrize("changed", [{"units": {}}, {"answer": {}}, {"front": {"nginx": False, "files": []}}])
def test_what_there_is_not_is_left_out(changed: dict[str, object]) -> None:
    assert len(texts(**changed)) == 4


def test_without_an_app_and_without_an_answer() -> None:
    plain = Wanted("blog", "web1", "/srv/blog", "git@host:blog.git", "deploy", "deploy")
    assert len([*_doctor.service(plain, service(), (200,))]) == 1
    assert [*_doctor.service(plain, {}, (200,))] == []


@pytest.mark.parametrize(
    ("note", "finding"),
    [
        ("2 behind", Finding("live: 2 behind", is_right=None)),
        ("not set up", Finding("live: not set up. Run setup", is_right=False)),
        ("run setup for: bind", Finding("live: run setup for: bind", is_right=False)),
        (
            "the last reload failed",
            Finding("live: the last reload failed. Look at its log: journalctl -u procmon@blog", is_right=False),
        ),
    ],
)
def test_notes_of_the_status_get_what_to_do(note: str, finding: Finding) -> None:
    answer = {"commit": "a" * 40, "subject": "s\x1b[31m", "notes": [note]}
    assert [*_doctor.live(WANTED, answer)] == [Finding(r"live: aaaaaaaaaaaa s\x1b[31m"), finding]


def test_a_server_without_an_answer() -> None:
    assert [*_doctor.live(WANTED, {"msg": "refused"})] == [Finding("live: not known (refused)", is_right=False)]
    assert [*_doctor.live(WANTED, {})] == [Finding("live: not known (no answer)", is_right=False)]


def test_problems_are_counted() -> None:
    found = {"a": [Finding("x"), Finding("y", is_right=False)], "b": [Finding("z", is_right=None)]}
    assert _doctor.problems(found) == 1
    assert _doctor.report(found) == ["a", "  ok  x", "  NO  y", "b", "  --  z"]
