"""What a run shows, at 80 columns: without a terminal, in colour, and while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._login_failure import Login
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.look import Look, in_seconds
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.screen import Screen
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.session import Kind, Session, Task
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.text import cells

from tests.support.terminal import Screen as Model

NEW, OLD = "1f0c9a2be6f3" + "0" * 28, "0a1b2c3d4e5f" + "0" * 28
BLOG = {"blog@web1": ("blog", "web1")}
THREE = {"blog@web1": ("blog", "web1"), "blog@web2": ("blog", "web2"), "shop@web1": ("shop", "web1")}
TWO = {"blog@web1": ("blog", "web1"), "blog@web2": ("blog", "web2")}
LIVE: dict[str, Any] = {
    "outcome": "live",
    "changed": True,
    "commit": NEW,
    "subject": "Greet in French",
    "previous_commit": OLD,
    "commits": [{"sha": NEW, "subject": "Greet in French"}, {"sha": "b" * 40, "subject": "三" * 50}],
    "commit_count": 12,
    "dropped_count": 0,
    "settings": ["workers", "env.COLOUR"],
    "msg": "blog: 1f0c9a2be6f3 is live (12 commits)",
    "output": [{"name": "post_deploy", "text": "one\ntwo", "characters": 7}],
    "phases": [
        {"name": "fetch", "seconds": 0.41},
        {"name": "checkout", "seconds": 0.1},
        {"name": "environment", "seconds": 0.02, "note": "reused"},
        {"name": "switch", "seconds": 0.7},
        {"name": "post_deploy", "seconds": 3.2},
        {"name": "reload", "seconds": 65, "note": "2 workers ready"},
    ],
}
FAILED: dict[str, Any] = {
    **LIVE,
    "failed": True,
    "outcome": "put_back",
    "msg": "blog: test failed (exit 1): ./test. 0a1b2c3d4e5f was restored and is live\nno page",
    "reason": "test failed (exit 1): ./test",
    "now": "0a1b2c3d4e5f was restored and is live",
    "traceback_tail": "no page",
    "phases": [{"name": "fetch", "seconds": 0.4}, {"name": "test", "seconds": 0.1, "failed": True}],
    "output": [{"name": "test", "text": "no page\n", "characters": 8}],
}


@dataclass
class Run:
    """A session on a model of a terminal, with a clock that is set by hand, and a progress file per host."""

    folder: Path
    look: Look = field(default_factory=Look)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.time = 100.0
        self.hosts: list[str] = []
        self.raw = ""
        self.model = Model(self.look.columns, self.look.rows)
        self.session = Session(Screen(self._write, self.look), lambda: self.time, **self.options)

    def _write(self, text: str) -> None:
        self.raw += text
        self.model.write(text.replace("\n", "\r\n"))

    def begin(self, hosts: Mapping[str, tuple[str, str]], kind: Kind = Kind.DEPLOY, **changed: Any) -> None:  # noqa: ANN401
        """Begin a play with one task, on all its hosts."""
        self.hosts = [*hosts]
        self.session.begin_play(hosts)
        self.task(kind, **changed)

    def task(self, kind: Kind = Kind.DEPLOY, **changed: Any) -> None:  # noqa: ANN401
        """Begin a task on all hosts of the play."""
        progress = (lambda host: self.folder / host) if kind is Kind.DEPLOY else None
        self.session.begin_task(Task(changed.pop("name", "Copy files"), kind, "run", progress=progress, **changed))
        for host in self.hosts:
            self.session.begin_host(host)

    def progress(self, host: str, *events: Mapping[str, Any]) -> None:
        """Write to the progress file of a host, and let the session read it."""
        with (self.folder / host).open("a") as file:
            file.writelines(json.dumps({"run": "run", **event}) + "\n" for event in events)
        self.session.tick()

    def end(self, result: Mapping[str, Any], host: str = "blog@web1", seconds: float = 5, **options: bool) -> None:
        """End the task on a host."""
        self.time += seconds
        self.session.end_host(host, result, **options)

    def shown(self) -> str:
        """End the run, and return all that was shown."""
        self.session.finish()
        return self.model.history()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a pipe."""
    return Run(tmp_path)


@pytest.fixture
def live(tmp_path: Path) -> Run:
    """A run on a terminal."""
    return Run(tmp_path, Look(live=True))


DEPLOYED = """\
blog on web1
  ✔ fetch            0.4 s  12 commits
    1f0c9a2be6f3 Greet in French
    bbbbbbbbbbbb 三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三…
    and 10 more
  ✔ settings                workers, env.COLOUR
  ✔ environment      0.0 s  reused
  ✔ switch           0.7 s
    post_deploy
    │ one
    │ two
  ✔ post_deploy      3.2 s
  ✔ reload      1 min 05 s  2 workers ready
✔ 1f0c9a2be6f3 Greet in French is live, 5.0 s"""


def test_a_deploy(run: Run) -> None:
    run.begin(BLOG)
    run.end(LIVE)
    assert run.shown() == DEPLOYED


FETCHED = [{"start": "fetch"}, {"end": LIVE["phases"][0]}]
REVERTED = {**LIVE, "phases": LIVE["phases"][1:]}
BACK = DEPLOYED.replace("fetch            0.4 s  12", "commits                 12")


@pytest.mark.parametrize("seen", range(8))
@pytest.mark.parametrize(
    ("first", "result", "shown"), [(FETCHED, LIVE, DEPLOYED), ([], REVERTED, BACK)], ids=["deploy", "revert"]
)
def test_a_deploy_that_is_watched_ends_in_the_same_lines(
    tmp_path: Path, seen: int, first: list[dict[str, Any]], result: dict[str, Any], shown: str
) -> None:
    """However much of it the progress file has had."""
    events = [
        *first,
        {"found": {key: LIVE[key] for key in ("commits", "commit_count", "dropped_count", "settings")}},
        {"start": "checkout"},
        {"end": LIVE["phases"][1]},
        {"start": "environment"},
        {"end": LIVE["phases"][2]},
        {"start": "switch"},
        {"end": LIVE["phases"][3]},
        {"start": "post_deploy"},
        {"output": "one\nt"},
        {"output": "wo"},
        {"end": LIVE["phases"][4]},
        {"start": "reload"},
        {"end": LIVE["phases"][5]},
    ]
    for count in (2 * seen, 2 * seen + 1):
        folder = tmp_path / str(count)
        folder.mkdir()
        run = Run(folder, Look(live=True))
        run.begin(BLOG)
        run.progress("blog@web1", *events[:count])
        run.end(result)
        assert run.shown() == shown


def test_what_is_under_way_is_the_last_line(live: Run) -> None:
    live.begin(BLOG)
    assert live.model.text() == "blog on web1\n  ⠋ starting           0 s"
    live.progress("blog@web1", {"start": "fetch"}, {"end": {"name": "fetch", "seconds": 0.1}}, {"start": "post_deploy"})
    assert live.model.text().endswith("  ⠋ post_deploy        0 s"), "without output its line alone"
    live.progress("blog@web1", {"output": "collecting\nnot yet a line"})
    live.time += 3.1
    live.session.tick()
    assert live.model.text() == (
        "blog on web1\n  ✔ fetch            0.1 s\n    post_deploy\n    │ collecting\n  ⠙ post_deploy        3 s"
    )
    live.progress("blog@web1", {"end": {"name": "post_deploy", "seconds": 3.1}})
    assert live.model.text().endswith("  ⠙ post_deploy        3 s"), "until the next phase begins"


def test_nothing_new_is_two_lines(run: Run) -> None:
    run.begin(BLOG)
    run.progress("blog@web1", {"start": "fetch"}, {"end": {"name": "fetch", "seconds": 0.1}})
    found = {"commit": NEW, "subject": "Greet in French", "commits": []}
    run.end({"outcome": "unchanged", "changed": False, **found}, seconds=0.84)
    assert run.shown() == "blog on web1\n✔ 1f0c9a2be6f3 Greet in French is already live, 0.8 s"


URL = "https://www.example.com"


@pytest.mark.parametrize(
    ("result", "end"),
    [
        (LIVE, " Greet in French is live, 5.0 s"),
        ({**LIVE, "subject": "三" * 50}, f" {'三' * 12}… is live, 5.0 s"),
        ({"outcome": "unchanged", "commit": NEW}, " is already live, 5.0 s"),
        ({"outcome": "restarted", "commit": NEW, "workers": 2}, " restarted, 2 workers ready, 5.0 s"),
    ],
)
def test_the_last_line_ends_with_the_address(run: Run, result: dict[str, Any], end: str) -> None:
    run.begin(BLOG)
    run.end({**result, "url": URL})
    last = run.shown().split("\n")[-1]
    assert last.removeprefix("✔ ").removeprefix(NEW[:12]) == f"{end}  {URL}"
    assert cells(last) <= 80


@pytest.mark.parametrize(("urls", "end"), [([URL, URL], f"  {URL}"), ([URL, "https://other"], ""), ([URL, ""], "")])
def test_of_several_servers_the_address_that_all_have(run: Run, urls: list[str], end: str) -> None:
    run.begin(TWO)
    for host, url in zip(TWO, urls, strict=True):
        run.end({**LIVE, "url": url}, host)
    assert run.shown().split("\n")[-1] == f"✔ 2 servers, 10.0 s{end}"


def test_a_failure_has_the_reason_first_and_its_output_once(run: Run) -> None:
    run.begin(BLOG)
    run.end(FAILED)
    assert run.shown().split("\n")[6:] == [
        "    test",
        "    │ no page",
        "  ✘ test             0.1 s",
        "✘ test failed (exit 1): ./test.",
        "  0a1b2c3d4e5f was restored and is live.",
        "  Failed after 5.0 s.",
    ]


WORKER = "worker 6 (pid 1513, generation 3) "
TRACEBACK = "Traceback (most recent call last):"


@pytest.mark.parametrize(
    ("tail", "cause"),
    [
        (
            f"{WORKER}failed (import): ModuleNotFoundError: No module named 'foo'",
            "ModuleNotFoundError: No module named 'foo'",
        ),
        (f"{WORKER}failed (import): {TRACEBACK}\n  File 'a'\n    import foo\nKeyError: 'A'", "KeyError: 'A'"),
        (
            f"{WORKER}failed (lifespan): {TRACEBACK}\n  File 'a'\nOSError: 1\n\nDuring it:\n\n{TRACEBACK}\n  File 'b'\n"
            "ValidationError: 1 error for Settings\nDATABASE\n  Field required",
            "ValidationError: 1 error for Settings",
        ),
        (
            f"{WORKER}failed (import):   File 'a', line 1\n    f(\n     ^\nSyntaxError: '(' was never closed",
            "SyntaxError: '(' was",
        ),
        (f"{WORKER}could not start: /srv no longer exists", "could not start: /srv no longer exists"),
        ("no page", ""),
        (f"{TRACEBACK}\n  File 'a'\nKeyError: 'A'", ""),
    ],
)
def test_the_cause_that_a_worker_has_reported_is_part_of_the_reason(run: Run, tail: str, cause: str) -> None:
    """What procmon reports begins with the worker, and ends with the line that matters."""
    run.begin(BLOG)
    run.end({**FAILED, "reason": "the new workers failed to start", "output": [], "traceback_tail": tail})
    end = " ".join(run.shown().partition("✘ the")[2].split())
    assert end.startswith(f"new workers failed to start{f': {cause}' if cause else '.'}")
    assert all(f"│ {line}\n" in run.raw for line in tail.split("\n") if line), "nothing of the report is lost"


def test_output_that_is_not_shown_is_part_of_the_failure(tmp_path: Path) -> None:
    run = Run(tmp_path, Look(output=False))
    run.begin(BLOG)
    run.progress("blog@web1", {"start": "test"}, {"output": "no page\n"})
    run.end(FAILED)
    assert run.shown().count("│ no page") == 1


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (
            {"msg": "Task failed: Module failed: blog: no disk", "reason": "no disk", "outcome": "failed"},
            ["✘ no disk.", "  Nothing was changed."],
        ),
        ({"msg": "Task failed: Action failed: at_once is 'x'.\nmore"}, ["✘ at_once is 'x'.", "  more"]),
        ({}, ["✘ it failed without a message."]),
        ({"results": [{"failed": True, "msg": "no key", "stderr": "a\n\nb"}]}, ["✘ no key."]),
    ],
)
def test_the_reason_is_what_ansible_has_wrapped(run: Run, result: dict[str, Any], lines: list[str]) -> None:
    run.begin(BLOG)
    run.end({**result, "failed": True})
    assert run.shown().split("\n")[1:] == [*lines, "  Failed after 5.0 s."]


@pytest.mark.parametrize(
    ("began", "lines"),
    [
        (False, ["✘ web1 cannot be reached: port 22: refused.", "  │ banner"]),
        (True, ["✘ the connection to web1 broke: port 22: refused.", "  │ banner"]),
    ],
)
def test_a_server_that_does_not_answer(run: Run, began: bool, lines: list[str]) -> None:
    run.begin(BLOG)
    if began:
        run.progress("blog@web1", {"start": "fetch"})
    msg = "Task failed: Failed to connect to the host via ssh: banner\nport 22: refused\n"
    run.end({"msg": msg, "unreachable": True}, unreachable=True)
    shown = run.shown().split("\n")
    assert shown[1:3] == lines
    assert ("What it serves now is not known" in shown[3]) == began
    assert (shown[3] == "  Nothing was changed.") == (not began)


def test_a_revert_says_what_the_next_one_does(run: Run) -> None:
    run.begin(BLOG)
    found = {
        "commit_count": 0,
        "dropped_count": 1,
        "settings": [],
        "phases": [],
        "output": [],
        "commits": [LIVE["commits"][0]],
        "dropped": [{"sha": OLD, "subject": "Greet"}],
    }
    run.end({**LIVE, **found, "msg": "…; another revert would return to 0a1b2c3d4e5f; "})
    assert run.shown().split("\n")[1:] == [
        "  ✔ commits                 1 commit dropped",
        "    - 0a1b2c3d4e5f Greet",
        "✔ 1f0c9a2be6f3 Greet in French is live, 5.0 s",
        "  Another revert would return to 0a1b2c3d4e5f.",
    ]


def test_commits_that_come_and_go_have_a_sign(run: Run) -> None:
    """At most eight of each, with the number of those that are not shown."""
    run.begin(BLOG)
    going = [{"sha": f"{number:x}" * 40, "subject": f"Number {number}"} for number in range(10)]
    run.end({**LIVE, "dropped": going, "dropped_count": 130, "settings": []})
    lines = run.shown().split("\n")[1:]
    assert lines[0] == "  ✔ fetch            0.4 s  12 commits, 130 dropped"
    assert lines[1] == "    + 1f0c9a2be6f3 Greet in French"
    assert lines[3] == "    + and 10 more"
    assert lines[4:12] == [f"    - {number:x}{str(number) * 11} Number {number}" for number in range(8)]
    assert lines[12] == "    - and 122 more"


def test_settings_alone_repeat_no_commit(run: Run) -> None:
    run.begin(BLOG)
    run.end({**LIVE, "commits": LIVE["commits"][:1], "commit_count": 0, "phases": LIVE["phases"][:1], "output": []})
    assert run.shown().split("\n")[1:] == [
        "  ✔ fetch            0.4 s  no new commits",
        "  ✔ settings                workers, env.COLOUR",
        "✔ 1f0c9a2be6f3 Greet in French is live, 5.0 s",
    ]


def test_a_check_shows_what_would_come_and_go(tmp_path: Path) -> None:
    run = Run(tmp_path, options={"check": True})
    run.begin(BLOG)
    diff = f"- {OLD[:12]} Greet\n+ {NEW[:12]} Greet in French\n- workers: 2\n+ workers: 4\n~ env.COLOUR\n"
    run.end(
        {
            **LIVE,
            "outcome": "unchanged",
            "commits": LIVE["commits"][:1],
            "commit_count": 1,
            "dropped": [{"sha": OLD, "subject": "Greet"}],
            "dropped_count": 1,
            "phases": [],
            "diff": {"prepared": diff},
        }
    )
    assert run.shown() == (
        "blog on web1  check mode: nothing is changed\n"
        "  ✔ commits                 1 commit, 1 dropped\n"
        "    + 1f0c9a2be6f3 Greet in French\n"
        "    - 0a1b2c3d4e5f Greet\n"
        "  ✔ settings                workers, env.COLOUR\n"
        "    - workers: 2\n"
        "    + workers: 4\n"
        "    ~ env.COLOUR\n"
        "✔ 1f0c9a2be6f3 Greet in French would go live, 5.0 s"
    )


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (
            {"outcome": "restarted", "commit": NEW, "changed": True, "workers": 1, "msg": "web1: restarted: it"},
            "✔ 1f0c9a2be6f3 restarted, 1 worker ready, 5.0 s",
        ),
        (
            {
                "outcome": "restarted",
                "commit": NEW,
                "workers": 2,
                "waits_for_setup": "bind (a serves, b is configured)",
            },
            "✔ 1f0c9a2be6f3 restarted, 2 workers ready, 5.0 s\n! run setup for: bind (a serves, b is configured).",
        ),
        ({"outcome": "no_app", "msg": "blog@web1: nothing to restart"}, "✔ nothing to restart, 5.0 s"),
    ],
)
def test_a_restart(run: Run, result: dict[str, Any], line: str) -> None:
    run.begin(BLOG)
    run.end(result)
    assert run.shown() == f"blog on web1\n{line}"


def test_warnings_of_ours_are_short(run: Run) -> None:
    run.begin(BLOG)
    run.end({**LIVE, "warnings": ["blog: run setup for: bind", "word " * 20]})
    assert run.shown().split("\n")[1:4] == [
        "! run setup for: bind.",
        "! " + " ".join(["word"] * 15),
        "  " + " ".join(["word"] * 5) + ".",
    ]


def test_a_warning_names_its_server_among_several(run: Run) -> None:
    run.begin(TWO)
    run.end({**LIVE, "warnings": ["blog: run setup for: bind"]})
    assert run.model.text().split("\n")[1] == "! blog@web1: run setup for: bind."


def test_several_servers_have_a_row_each(live: Run) -> None:
    live.begin(THREE, is_last=False)
    live.end({**LIVE, "outcome": "live"}, "shop@web1")
    live.progress("blog@web1", {"start": "fetch"})
    live.end({"outcome": "prepared", "commit": NEW}, "blog@web2")
    assert live.model.text() == (
        "blog, shop on 2 servers\n"
        "✔ shop@web1  1f0c9a2be6f3  went live           5.0 s  Greet in French\n"
        "⠋ blog@web1  fetch         10 s\n"
        "· blog@web2  waiting"
    )
    live.end({"outcome": "prepared", "commit": NEW}, "blog@web1")
    live.task()
    live.end({**LIVE, "skipped": True}, "shop@web1")
    live.end({**FAILED, "outcome": "broken"}, "blog@web1")
    live.end({"outcome": "not_reached", "commit": NEW, "previous_commit": OLD, "skipped": True}, "blog@web2")
    assert live.shown().split("\n")[2:] == [
        "✘ blog@web1  not known     failed, and could not be restored   10.0 s",
        "    test failed (exit 1): ./test.",
        "    │ no page",
        "    0a1b2c3d4e5f was restored and is live.",
        "· blog@web2  0a1b2c3d4e5f  1f0c9a2be6f3 is prepared, not reached   15.0 s",
        "✘ 2 of 3 not deployed, 30.0 s",
    ]


def test_a_low_screen_shows_what_is_under_way(tmp_path: Path) -> None:
    run = Run(tmp_path, Look(live=True, rows=4))
    hosts = {f"p{number}@web": (f"p{number}", "web") for number in range(5)}
    run.session.begin_play(hosts)
    run.session.begin_task(Task("Deploy", Kind.DEPLOY))
    run.session.begin_host("p4@web")
    assert (
        run.model.text()
        == "p0, p1, p2, p3, p4 on 1 server\n⠋ p4@web  starting      0 s\n· p0@web  waiting\n  and 3 more"
    )
    run.time += 6
    run.session.tick()
    assert "p4@web  under way     6 s" in run.model.text(), "not followed: what it does is not known"


def test_all_servers_went_well(tmp_path: Path) -> None:
    run = Run(tmp_path, options={"check": True})
    run.begin({host: THREE[host] for host in ("blog@web1", "shop@web1")}, is_last=False)
    for host in ("blog@web1", "shop@web1"):
        run.end(LIVE, host)
    lines = run.shown().split("\n")
    assert lines[0] == "blog, shop on 1 server  check mode: nothing is changed"
    assert lines[-1] == "✔ 2 projects on 1 server, 10.0 s"


def test_projects_of_a_server_that_cannot_be_reached_share_the_reason(live: Run) -> None:
    live.begin(THREE)
    for host in ("blog@web1", "shop@web1", "blog@web2"):
        why = "no route" if host == "blog@web2" else f"timed out. {'Look ' * 12}at it"
        live.end({"failed": True, "outcome": "unreachable", "msg": f"{host} cannot be reached: {why}"}, host)
    assert live.shown().split("\n")[1:] == [
        "✘ blog@web1  as before     cannot be reached    5.0 s",
        f"    timed out. {' '.join(['Look'] * 12)} at",
        "    it.",
        "✘ shop@web1  as before     cannot be reached   10.0 s",
        "✘ blog@web2  as before     cannot be reached   15.0 s",
        "    no route.",
        "✘ 3 of 3 not deployed, 15.0 s",
    ]


@pytest.mark.parametrize(
    ("command", "done"), [("restart", "restarted"), ("revert", "reverted"), ("deploy", "deployed")]
)
def test_a_command_that_failed_is_named(tmp_path: Path, command: str, done: str) -> None:
    run = Run(tmp_path, options={"command": command})
    run.begin(TWO)
    for host in TWO:
        run.end({"failed": True, "outcome": "failed", "msg": "no"}, host)
    assert run.shown().endswith(f"\n✘ 2 of 2 servers not {done}, 10.0 s")


def test_output_is_wrapped_between_words(live: Run) -> None:
    """On a terminal: with its own indentation; of a path that is too long, each line is behind the bar."""
    live.begin(BLOG)
    path = f"/{'x' * 90}"
    live.progress("blog@web1", {"start": "test"}, {"output": f"    {'word ' * 20}\n{path}\n"})
    words = f"    │     {' '.join(['word'] * 14)}\n    │         {' '.join(['word'] * 6)}\n"
    assert f"{words}    │ {path[:74]}\n    │     {path[74:]}\n" in live.raw
    live.progress("blog@web1", {"output": f"{' ' * 60}^^^^ here is the fault\n{'三' * 50}\n"})
    assert max(map(cells, live.model.history().split("\n"))) <= 80


def test_a_server_that_cannot_be_reached_has_a_row(run: Run) -> None:
    run.begin(THREE)
    run.end(
        {"msg": "Failed to connect to the host via ssh: no route", "unreachable": True}, "blog@web1", unreachable=True
    )
    assert run.shown().split("\n")[1:4] == [
        "✘ blog@web1  as before     cannot be reached    5.0 s",
        "    web1 cannot be reached: no route.",
        "    Nothing was changed.",
    ]


def test_other_tasks_have_a_line_where_they_change_something(live: Run) -> None:
    live.begin(BLOG, Kind.OTHER, name="Install packages")
    assert live.model.text() == "blog on web1\n  ⠋ Install packages  0 s"
    live.end({"changed": True})
    live.task(Kind.OTHER)
    live.end({"changed": False})
    assert live.shown() == (
        "blog on web1\n"
        "  ✔ Install packages                                                 5.0 s\n"
        "✔ blog on web1: 1 change, 10.0 s"
    )


def test_a_failed_task_shows_what_its_program_wrote(run: Run) -> None:
    run.begin({"blog@web1": ("blog", "web1"), "shop@web1": ("shop", "web1")}, Kind.OTHER, name="Install packages")
    run.end({"failed": True, "msg": "non-zero return code", "stderr": "no such package", "stdout": "reading"})
    assert run.shown() == (
        "✘ blog@web1: Install packages\n  non-zero return code.\n  │ no such package\n  Failed after 5.0 s."
    )


@pytest.mark.parametrize("check", [False, True])
def test_a_setup_with_nothing_to_do(tmp_path: Path, check: bool) -> None:
    run = Run(tmp_path, options={"check": check})
    run.begin(BLOG, Kind.OTHER)
    run.end({"changed": False})
    assert run.shown() == f"✔ blog on web1: nothing to change{' (check mode)' if check else ''}, 5.0 s"


def test_a_setup_that_waits_for_a_key_has_no_mark_of_success(run: Run) -> None:
    run.begin(BLOG, Kind.OTHER)
    run.end({"changed": True, "waits_for": "ssh-ed25519 AAAA"})
    run.begin(BLOG, Kind.REPORT)
    run.end({"failed": True, "lines": [], "msg": "blog on web1: the git server does not let deploy read it yet"})
    lines = run.shown().split("\n")
    assert lines[2:4] == [
        "  blog on web1: 1 change, 5.0 s",
        "✘ blog on web1: the git server does not let deploy read it yet.",
    ]


@pytest.mark.parametrize("changed", [False, True])
def test_a_setup_ends_with_what_comes_next(run: Run, *, changed: bool) -> None:
    run.begin(BLOG, Kind.OTHER)
    run.end({"changed": False})
    run.begin(BLOG, Kind.REPORT)
    run.end({"obstacles": []})
    run.task(Kind.OTHER)
    run.end({"changed": changed})
    run.begin(BLOG, Kind.REPORT)
    run.end({"lines": ["blog is ready on web1; next: deploy blog"]})
    what = "1 change" if changed else "nothing to change"
    done, then = run.shown().split("\n")[-2:]
    assert done.startswith(f"✔ blog on web1: {what}, ")
    assert then == "blog is ready on web1; next: deploy blog"


def test_a_report_changes_nothing_and_does_not_say_so(tmp_path: Path) -> None:
    run = Run(tmp_path, options={"command": "doctor"})
    run.begin(BLOG, Kind.OTHER)
    run.end({"changed": False})
    run.begin(BLOG, Kind.REPORT)
    run.end({"lines": ["blog@web1", "  ok  clock"]})
    assert run.shown() == "blog@web1\n  ok  clock"


def test_the_batches_of_a_setup(live: Run) -> None:
    """Each project has its head, and its own changes; one that has none is not named."""
    everything = {**THREE, "api@web2": ("api", "web2")}
    live.begin(everything, Kind.OTHER)
    for host in everything:
        live.end({"changed": False}, host)
    for host, names in everything.items():
        live.begin({host: names}, Kind.OTHER, name="Install it")
        assert live.model.text().endswith(f"{names[0]} on {names[1]}\n  ⠋ Install it  0 s")
        live.end({"changed": host.startswith("blog")}, host)
    line = "  ✔ Install it                                                       5.0 s"
    assert live.shown().split("\n") == [
        *("blog on web1", line, "✔ blog on web1: 1 change, 25.0 s"),
        *("blog on web2", line, "✔ blog on web2: 1 change, 30.0 s"),
    ]


def test_several_projects_with_nothing_to_change(run: Run) -> None:
    for host, names in {**THREE, "api@web2": ("api", "web2")}.items():
        run.begin({host: names}, Kind.OTHER)
        run.end({"changed": False}, host)
    assert run.shown() == "✔ blog, shop, api on 2 servers: nothing to change, 20.0 s"


def test_the_plays_of_one_setup_have_one_head_and_one_end(run: Run) -> None:
    for changed in (False, True, False):
        run.begin(BLOG, Kind.OTHER)
        run.end({"changed": changed})
    lines = run.shown().split("\n")
    assert [lines[0], lines[1][:14], lines[2]] == ["blog on web1", "  ✔ Copy files", "✔ blog on web1: 1 change, 10.0 s"]
    assert len(lines) == 3


def test_a_play_without_a_project(run: Run) -> None:
    run.begin({"localhost": ("", "localhost")}, Kind.OTHER)
    run.end({"changed": True}, "localhost")
    assert run.shown().split("\n")[-1] == "✔ 1 change, 5.0 s"


def test_a_question_and_its_table(live: Run) -> None:
    live.begin(THREE, Kind.QUESTION, name="Ask what is live")
    live.end({"commit": NEW}, "blog@web1")
    assert live.model.text() == "  ⠋ Ask what is live (1 of 3)  5 s"
    live.end({"failed": True, "msg": "no path"}, "blog@web2")
    live.task(Kind.SUMMARY)
    live.end({"lines": ["PROJECT\nblog", "\x1b[2J"]})
    assert live.shown() == (
        "✘ blog@web2: Ask what is live\n  no path.\n  Failed after 10.0 s.\nPROJECT\nblog\n\\x1b[2J"
    )


def test_a_summary_that_fails_or_follows_a_deploy(run: Run) -> None:
    run.begin(BLOG)
    run.end(LIVE)
    run.task(Kind.SUMMARY, name="Report")
    run.end({"lines": ["SERVER"]})
    run.end({"failed": True, "msg": "no variable"})
    assert run.shown().endswith("\n✘ no variable.\n  Failed after 15.0 s.")


def test_a_report_that_fails_has_its_lines_before_the_reason(live: Run) -> None:
    """Its lines are broken between words, and further to the right; what is to be copied stays whole."""
    live.begin(TWO, Kind.REPORT)
    key = f"ssh-ed25519 {'k' * 68} blog@web1"
    live.end({"failed": True, "lines": [f"  NO  {'word ' * 20}end"], "msg": f"Add this:\n    {key}\n{'word ' * 20}end"})
    words = " ".join(["word"] * 14)
    assert live.raw.rpartition("\x1b[?25h")[2].split("\n")[:-1] == [
        f"  NO  {words} word",
        f"      {' '.join(['word'] * 5)} end",
        "✘ Add this:",
        f"      {key}",
        f"  {words} word",
        f"      {' '.join(['word'] * 5)} end",
        "  Failed after 5.0 s.",
    ]


@pytest.mark.parametrize(("hosts", "where"), [(BLOG, ""), (TWO, "blog@web1: ")])
def test_a_check_that_fails_is_its_message(run: Run, hosts: dict[str, tuple[str, str]], where: str) -> None:
    """The name of its task is for those who read playbooks."""
    run.begin(hosts, Kind.CHECK, name="Check the answer")
    run.end({"changed": False}, [*hosts][-1])
    run.end({"failed": True, "msg": "Task failed: Action failed: it was not blog. Type blog.", "assertion": False})
    assert run.shown().split("\n")[-2:] == [f"✘ {where}it was not blog. Type blog.", "  Failed after 10.0 s."]
    assert "Check the answer" not in run.raw


def test_commands_of_a_summary_are_not_broken(live: Run) -> None:
    command = f"Stop it  kill $(cat /a) && rm -rf /{'x' * 60}"
    live.begin(TWO, Kind.SUMMARY)
    live.end({"lines": [command]})
    assert f"{command}\n" in live.raw


@pytest.mark.parametrize(
    ("admin", "now"),
    [
        (
            "root",
            "Has `ansible-playbook setup.yml -e project=blog` run? For a new server it lets your key log in as "
            "deploy. Otherwise try `ssh -p 2222 deploy@192.0.2.1`.",
        ),
        ("", "Let your key log in (`ssh-copy-id -p 2222 deploy@192.0.2.1`), or correct `key` or `user`."),
    ],
)
def test_a_server_that_refuses_a_login_has_what_to_do_with_its_address(run: Run, admin: str, now: str) -> None:
    run.session.begin_play(BLOG, {"blog@web1": Login("deploy", "192.0.2.1", "2222", admin=admin)})
    run.task()
    run.session.begin_host("blog@web1")
    msg = "Failed to connect to the host via ssh: deploy@192.0.2.1: Permission denied (publickey)."
    run.end({"msg": msg}, unreachable=True)
    head, reason, *lines, _took = run.shown().split("\n")
    assert (head, reason) == (
        "blog on web1",
        "✘ web1 cannot be reached: deploy@192.0.2.1: Permission denied (publickey).",
    )
    assert " ".join(line.strip() for line in lines) == f"Nothing was changed. {now}"


@pytest.mark.parametrize("command", ["status", "doctor", "history"])
def test_a_report_names_its_hosts_itself(tmp_path: Path, command: str) -> None:
    run = Run(tmp_path, options={"command": command})
    run.begin(BLOG, Kind.OTHER)
    assert run.model.text() == ""


BEFORE = "before the switch: nothing changes. `ansible-playbook status.yml -e project=blog` shows what is live."
AFTER = "after the switch: the server completes the deploy, or restores what was live. `ansible-playbook status.yml"
EITHER = "Interrupted. Before the switch nothing changes; after it the server completes the deploy, or restores"
HALF_DONE = "Interrupted in 'Copy files', which may be half done."
PHASES: list[tuple[dict[str, tuple[str, str]], dict[str, list[str]], str]] = [
    (BLOG, {"blog@web1": ["fetch"]}, f"Interrupted in fetch, {BEFORE}"),
    (BLOG, {"blog@web1": ["switch", "reload"]}, f"Interrupted in reload, {AFTER}"),
    (BLOG, {}, EITHER),
    (THREE, {"blog@web1": ["switch"]}, EITHER),
    (TWO, {"blog@web1": ["fetch"], "blog@web2": ["environment"]}, f"Interrupted {BEFORE}"),
    (TWO, {"blog@web1": ["switch", "test"], "blog@web2": ["switch", "test"]}, f"Interrupted in test, {AFTER}"),
    (TWO, {"blog@web1": ["switch", "test"], "blog@web2": ["fetch"]}, EITHER),
]


@pytest.mark.parametrize(("hosts", "phases", "says"), PHASES)
def test_an_interrupted_deploy_says_how_it_will_end(
    tmp_path: Path, hosts: dict[str, tuple[str, str]], phases: dict[str, list[str]], says: str
) -> None:
    run = Run(tmp_path, Look(columns=200))
    run.begin(hosts)
    for host, names in phases.items():
        run.progress(host, *({"start": phase} for phase in names))
    run.session.interrupt()
    assert run.shown().split("\n")[-1].startswith(says)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (Kind.QUESTION, {"command": "status"}, "Interrupted: nothing was changed."),
        (Kind.OTHER, {"command": "doctor"}, "Interrupted: nothing was changed."),
        (Kind.DEPLOY, {"command": "deploy", "check": True}, "Interrupted: nothing was changed."),
        (Kind.DEPLOY, {"command": "restart"}, "Interrupted: the server completes the restart that it has begun. `depl"),
        (Kind.OTHER, {"command": "exec"}, "Interrupted: the command is ended on the server."),
        (Kind.OTHER, {"command": "setup"}, f"{HALF_DONE} Run `deploy blog setup` again: it goes on from there."),
        (Kind.OTHER, {"command": "site"}, HALF_DONE),
    ],
)
def test_an_interrupted_command_says_what_that_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, options: dict[str, Any], says: str
) -> None:
    monkeypatch.setenv("ONETOUCH_DEPLOY_TYPED", "deploy")
    run = Run(tmp_path, Look(columns=200), options)
    run.begin(BLOG, kind)
    run.session.interrupt()
    assert run.shown().split("\n")[-1].startswith(says)


def test_an_interruption_is_the_end(live: Run) -> None:
    """Nothing is drawn after it, it comes once, and the terminal is as it was."""
    live.begin(BLOG)
    live.progress("blog@web1", {"start": "fetch"})
    assert not live.model.cursor_visible
    live.session.interrupt()
    shown = live.model.history()
    assert live.model.cursor_visible
    live.session.interrupt()
    live.end(LIVE)
    live.session.tick()
    assert live.shown() == shown
    assert shown.endswith("shows what is live.")


def test_an_interruption_before_anything_and_after_the_end(run: Run) -> None:
    run.session.finish()
    run.session.interrupt()
    assert run.shown() == ""


def test_an_interruption_before_the_first_play(run: Run) -> None:
    run.session.interrupt()
    assert run.shown() == "Interrupted before anything was done."


def test_a_result_before_a_play_is_left_out(run: Run) -> None:
    run.session.end_host("blog@web1", {})
    run.session.begin_host("blog@web1")
    run.session.tick()
    run.session.print(["No host matches."])
    assert run.shown() == "No host matches."


def test_colours_and_marks(tmp_path: Path) -> None:
    run = Run(tmp_path, Look(color=True))
    run.begin(BLOG)
    run.end({**LIVE, "phases": LIVE["phases"][-1:], "output": [], "commits": LIVE["commits"][:1], "settings": []})
    run.session.end_play()
    assert run.raw == (
        "\x1b[1mblog\x1b[0m on web1\n"
        "  \x1b[32m✔\x1b[0m commits     \x1b[2m          \x1b[0m  12 commits\n"
        "    \x1b[2m1f0c9a2be6f3\x1b[0m Greet in French\n"
        "    \x1b[2mand 11 more\x1b[0m\n"
        "  \x1b[32m✔\x1b[0m reload      \x1b[2m1 min 05 s\x1b[0m  2 workers ready\n"
        "\x1b[32m✔\x1b[0m \x1b[1m1f0c9a2be6f3\x1b[0m Greet in French is live, 5.0 s\n"
    )


def test_marks_without_unicode(tmp_path: Path) -> None:
    look = Look(unicode=False)
    assert [look.mark(name) for name in ("ok", "failed", "waiting", "bar")] == ["+", "x", ".", "|"]
    assert look.spinner(0.1) == "/"
    assert tmp_path.exists()


def test_times() -> None:
    assert [in_seconds(seconds) for seconds in (0.04, 59.9, 61)] == ["0.0 s", "59.9 s", "1 min 01 s"]
