"""What doctor reports: of each thing that it is right, or what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _doctor
from ansible_collections.onetouch.deploy.plugins.plugin_utils._doctor import Finding, Seen
from ansible_collections.onetouch.deploy.plugins.plugin_utils._obstacles import Answer, Wanted

from tests.unit.setup.test_obstacles import BLOG, FACTS

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


def lines(findings: list[Finding]) -> list[str]:
    """Return the report's lines about one host."""
    shown = _doctor.report({"blog@web1": findings})
    return [line.strip() for line in shown if line.startswith("  ")]


def texts(**changed: object) -> list[str]:
    """Return the report's lines about a service."""
    found = _doctor.service(WANTED, service(**changed), _doctor.ACCEPTED)
    return lines([*found])


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
            "NO  unit: procmon@blog.service is failed (failed). Look at its log: journalctl -u procmon@blog.service",
        ),
        (
            {"units": {"service": {"ActiveState": "inactive", "SubState": "dead", "UnitFileState": "enabled"}}},
            "NO  unit: procmon@blog.service is inactive (dead). Look at its log: journalctl -u procmon@blog.service",
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


NOTHING_RUNS = {
    "units": {"service": {"ActiveState": "inactive", "SubState": "dead", "UnitFileState": "disabled"}},
    "answer": {"status": None, "error": "Connection refused"},
    "restart_file": {"path": "/srv/blog/current/restart", "writable": False},
}


def test_of_a_project_that_is_not_set_up_one_finding_needs_a_person() -> None:
    """The note that it is not set up; what setup and a deploy will make is no finding of its own."""
    found = lines([*_doctor.service(WANTED, service(**NOTHING_RUNS), _doctor.ACCEPTED, _doctor.NOT_SET_UP)])
    assert found[1:4] == [
        "--  unit: procmon@blog.service comes with setup",
        "--  restart file: /srv/blog/current/restart comes with setup",
        "--  answer: none on 127.0.0.1:1 yet",
    ]
    plain = replace(WANTED, systemd=False)
    found = lines([*_doctor.service(plain, service(**NOTHING_RUNS), _doctor.ACCEPTED, _doctor.NOT_SET_UP)])
    assert found[1] == "--  procmon: comes with setup"


def test_a_project_that_was_removed_and_has_its_data_is_one_finding() -> None:
    kept = {**NOTHING_RUNS, "restart_file": service()["restart_file"]}
    found = lines([*_doctor.service(WANTED, service(**kept), _doctor.ACCEPTED)])
    assert not any("restart file" in line for line in found)
    assert [line for line in found if line.startswith("NO")] == [
        "NO  unit: procmon@blog.service is not set up. Run setup"
    ]


def test_another_program_at_the_address_of_a_project_that_is_not_set_up() -> None:
    changed = {**NOTHING_RUNS, "answer": {"status": 200, "error": ""}}
    found = lines([*_doctor.service(WANTED, service(**changed), _doctor.ACCEPTED, _doctor.NOT_SET_UP)])
    assert (
        "NO  answer: 200 on 127.0.0.1:1, of something else: this project is not set up. Free the address, or set "
        "`bind` to another one" in found
    )


def test_procmon_answers_itself_until_the_first_deploy() -> None:
    waiting = service(answer={"status": 503, "error": ""})
    shown = lines([*_doctor.service(WANTED, waiting, _doctor.ACCEPTED, _doctor.NEVER_DEPLOYED)])
    assert "--  answer: 503 on 127.0.0.1:1, of procmon itself: it waits for the first deploy" in shown
    half = lines([*_doctor.service(WANTED, waiting, _doctor.ACCEPTED, _doctor.NOT_SET_UP)])
    assert half == shown, "as where setup waits for a deploy key"
    later = lines([*_doctor.service(WANTED, waiting, _doctor.ACCEPTED)])
    assert any(line.startswith("NO  answer: 503 on 127.0.0.1:1, not 200 or 302. ") for line in later)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"bind_is_free": True, "bind_is_own": True}, "ok  bind: 127.0.0.1:3001 is free"),
        ({"bind_is_free": False, "bind_is_own": True}, "ok  bind: 127.0.0.1:3001 is this project's"),
        (
            {"bind_is_free": False, "bind_is_own": False},
            "ok  bind: 127.0.0.1:3001 is in use, by this project or another",
        ),
    ],
)
def test_who_has_the_address(facts: dict[str, bool], line: str) -> None:
    assert line in examined(system=Answer(facts={**FACTS, **facts}))


def test_one_reason_of_both_logins_is_one_finding() -> None:
    missing = Answer({"kind": "python_missing", "text": "not found"})
    shown = examined(system=missing, own=missing)
    assert len([line for line in shown if "there is no Python" in line]) == 1


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


def test_a_deploy_that_would_fail_is_not_the_advice() -> None:
    answer = {
        "commit": None,
        "notes": ["never deployed", "nothing to deploy, by what was fetched last: no tag. Set ref"],
    }
    assert [*_doctor.live(WANTED, answer)] == [
        Finding("live: never deployed", is_right=None),
        Finding("live: nothing to deploy, by what was fetched last: no tag. Set ref", is_right=False),
    ]
    assert [*_doctor.live(WANTED, {"commit": None, "notes": ["never deployed"]})] == [
        Finding("live: never deployed. Deploy it", is_right=False)
    ]


def test_a_server_without_an_answer() -> None:
    assert [*_doctor.live(WANTED, {"msg": "refused"})] == [Finding("live: not known (refused)", is_right=False)]
    assert [*_doctor.live(WANTED, {})] == [Finding("live: not known (no answer)", is_right=False)]


def test_problems_are_counted() -> None:
    found = {"a": [Finding("x"), Finding("y", is_right=False)], "b": [Finding("z", is_right=None)]}
    shown = ["a", "  ok  x", "  NO  y", "b", "  --  z"]
    assert _doctor.report(found) == [*shown, "", "1 finding needs you: see NO above."]
    assert _doctor.report({**found, "b": found["a"]})[-1] == "2 findings need you: see NO above."
    assert _doctor.report({"b": found["b"]}) == shown[3:]
    assert [_doctor.problems(one) for one in found.values()] == [["y"], []]


def examined(wanted: Wanted = BLOG, system: Answer | None = None, own: Answer | None = None) -> list[str]:
    """Return the report's lines about a project."""
    seen = Seen(
        system or Answer(facts=FACTS), own or Answer(facts=FACTS), {"commit": None, "notes": ["not set up"]}, {}
    )
    return lines(_doctor.examine(wanted, seen))


def test_a_server_that_has_everything() -> None:
    assert examined() == [
        "ok  settings: complete",
        "ok  login: as deploy and root",
        "ok  system: Debian GNU/Linux 12",
        "--  programs: setup will install procmon",
        "ok  Python: /usr/bin/python3 is 3.11, python3 is 3.11",
        "ok  disk: 1.0 GiB and 100000 inodes free for /srv/blog",
        "ok  clock: 0 s from this machine's",
        "ok  user: deploy has a shell and a home directory",
        "ok  bind: 127.0.0.1:3001 is free",
        "--  path: /srv/blog does not exist yet. Setup creates it",
        "ok  git: git@git.example.org:you/blog.git can be read",
        "NO  live: not set up. Run setup",
    ]


def test_a_directory_that_is_there() -> None:
    facts = Answer(facts={**FACTS, "path": {**FACTS["path"], "nearest": "/srv/blog"}})
    assert "ok  path: /srv/blog" in examined(system=facts, own=facts)


def test_a_disk_without_a_limit_of_inodes() -> None:
    disks = [{**disk, "free_inodes": None} for disk in FACTS["disks"]]
    facts = Answer(facts={**FACTS, "disks": disks})
    assert "ok  disk: 1.0 GiB free for /srv/blog" in examined(system=facts, own=facts)


def test_a_repository_that_may_not_be_read_and_a_project_without_an_app() -> None:
    denied = Answer(facts={**FACTS, "git": {**FACTS["git"], "access": "denied"}})
    lines = examined(replace(BLOG, app=False, bind=""), own=denied)
    may_not = "git: deploy may not read git@git.example.org:you/blog.git"
    assert f"--  {may_not} yet. Setup makes a key, and names where to add it" in lines
    seen = Seen(Answer(facts=FACTS), denied, {"commit": None, "notes": []}, {})
    assert Finding(f"{may_not}. Run setup: it makes a key", is_right=False) in _doctor.examine(BLOG, seen)
    assert not any("bind" in line for line in lines)


def test_logins_that_do_not_work() -> None:
    refused = Answer({"kind": "refused"})
    assert examined(system=refused, own=refused)[1].startswith("NO  the server web1 refuses the login as root. ")
    assert examined(system=refused, own=refused)[3:] == ["--  nothing else was checked, because no login works"]


def test_before_the_first_setup_nothing_is_claimed_that_was_not_seen() -> None:
    """There is no user yet: what setup will do is no fault, and git and the app were not looked at."""
    new = {**FACTS, "account": {"exists": False}, "missing_packages": ["git", "python3-venv"]}
    lines = examined(system=Answer(facts=new), own=Answer())
    assert [line for line in lines if not line.startswith("ok")] == [
        "--  login: there is no user deploy yet. Setup creates it, and lets your key log in",
        "--  programs: setup will install git, python3-venv, procmon",
        "--  path: /srv/blog does not exist yet. Setup creates it",
        "--  git: whether deploy can read git@git.example.org:you/blog.git is not checked yet. "
        "Setup asks, as soon as deploy can log in",
        "NO  live: not set up. Run setup",
    ]
    assert "ok  login: as root" in lines
    assert not any(line.startswith(("ok  user", "ok  git")) for line in lines)


def test_before_the_first_setup_a_git_server_that_no_user_could_ask_is_found() -> None:
    git = {**FACTS["git"], "access": "", "resolves": False}
    facts = {**FACTS, "account": {"exists": False}, "git": git}
    lines = examined(system=Answer(facts=facts), own=Answer())
    assert any(line.startswith("NO  the name git.example.org of the git server does not resolve") for line in lines)


def test_a_user_whom_setup_lets_in() -> None:
    refused = Answer({"kind": "refused", "text": "Permission denied (publickey)."})
    lines = examined(own=refused)
    assert "ok  login: as root" in lines
    assert "--  login: deploy cannot log in yet (Permission denied (publickey)). Setup lets your key log in" in lines
    assert lines[-1] == "NO  live: not known, because deploy cannot log in yet. Run setup"


def test_a_user_who_cannot_log_in_for_another_reason() -> None:
    lines = examined(own=Answer({"kind": "python_old", "text": "too old"}))
    assert any(line.startswith("NO  too old. ") for line in lines)
    assert lines[-2:] == [
        "--  git: whether deploy can read git@git.example.org:you/blog.git is not checked",
        "--  live: not known, because deploy cannot log in",
    ]
