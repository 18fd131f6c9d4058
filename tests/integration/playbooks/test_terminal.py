"""What people see: the callback `terminal` on a real terminal and in a pipe, with real deploys."""

from __future__ import annotations

import os
import re
import signal
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Start, Upstream, following, last_outcome, serving, slow_hook
from tests.support.releases.upstream import Upstream as Remote
from tests.support.sshd import Counts, Sshd
from tests.support.waiting import until


def piped(laptop: Laptop, playbook: str, *words: str, project: str = "blog") -> tuple[int, str]:
    """Run a playbook in a pipe; return its exit code and what it wrote, times replaced."""
    laptop.environment["ANSIBLE_STDOUT_CALLBACK"] = "onetouch.deploy.terminal"
    done = laptop.run(f"playbooks/{playbook}.yml", *words, extra={"project": project})
    return done.code, without_times(done.output)


def without_times(text: str) -> str:
    """Return a text with each time as `0.0 s`, in as many cells."""
    zero = "0.0 s"
    return re.sub(
        r"( +)\d+\.\d s", lambda found: f" {zero}" if len(found[1]) == 1 else zero.rjust(len(found[0])), text
    ).rstrip("\n")


URL = "https://www.example.com"


def test_a_first_deploy_and_one_with_nothing_new_in_a_pipe(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path, post_deploy="echo collecting; echo '\x1b[31mred'", url=URL)
    sha = upstream.git("rev-parse", "HEAD")[:12]
    assert piped(laptop, "deploy") == (
        0,
        f"""blog on localhost
  ✔ fetch            0.0 s  1 commit
    {sha} Say one
    post_deploy
    │ collecting
    │ \\x1b[31mred
  ✔ post_deploy      0.0 s
✔ {sha} Say one is live, 0.0 s  {URL}""",
    )
    assert piped(laptop, "deploy") == (0, f"blog on localhost\n✔ {sha} Say one is already live, 0.0 s  {URL}")


def test_a_deploy_shows_what_is_under_way(laptop: Laptop, upstream: Upstream, tmp_path: Path, start: Start) -> None:
    laptop.project("blog", upstream.path, post_deploy=slow_hook(tmp_path))
    sha = upstream.git("rev-parse", "HEAD")[:12]
    terminal = start("deploy")
    shown = re.compile(r"\n    │ collecting 三\n  [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] post_deploy +\d+ s$")
    terminal.until(lambda screen: bool(shown.search(screen)), "the hook under way below its output")
    assert not terminal.screen.cursor_visible
    (tmp_path / "go").touch()
    assert terminal.end() == 0
    assert terminal.screen.cursor_visible
    assert without_times(terminal.screen.history()).split("\n")[1:] == [
        "  ✔ fetch            0.0 s  1 commit",
        f"    {sha} Say one",
        "    post_deploy",
        "    │ collecting 三",
        "    │ collected",
        "  ✔ post_deploy      0.0 s",
        f"✔ {sha} Say one is live, 0.0 s",
    ]
    assert b"\x1b[2m" in terminal.raw, "output is dim"


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"ONETOUCH_DEPLOY_LIVE": "false"}])
def test_a_terminal_can_be_asked_for_less(
    laptop: Laptop, upstream: Upstream, start: Start, setting: dict[str, str]
) -> None:
    laptop.project("blog", upstream.path)
    terminal = start("deploy", **setting)
    assert terminal.end() == 0
    drawn = set(re.findall(rb"\x1b\[\??[\d;]*[A-Za-z]", terminal.raw))
    colors = {code for code in drawn if code.endswith(b"m")}
    assert bool(colors) == ("ONETOUCH_DEPLOY_LIVE" in setting)
    assert bool(drawn - colors) == ("NO_COLOR" in setting)
    assert "is live" in terminal.screen.text()


def test_a_failing_hook_shows_the_reason_and_its_output_once(
    laptop: Laptop, upstream: Upstream, tmp_path: Path, start: Start
) -> None:
    laptop.project("blog", upstream.path, pre_deploy=slow_hook(tmp_path, "exit 3"))
    (tmp_path / "go").touch()
    terminal = start("deploy")
    assert terminal.end() == 2
    seen = terminal.screen.history()
    assert seen.count("collected\n") == 1
    assert "  ✘ pre_deploy" in seen
    *_before, reason, _wrapped, now, last = seen.split("\n✘ ")[1].split("\n")
    assert seen.split("\n✘ ")[1].startswith("pre_deploy failed (exit 3): echo collecting")
    assert now == "  Nothing was changed: nothing is live."
    assert last.startswith("  Failed after ")
    assert "[ERROR]" not in seen, reason


def test_a_failing_hook_in_a_pipe_is_explained_once(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path, post_deploy="cat page; test $(cat page) = one")
    first = upstream.git("rev-parse", "HEAD")[:12]
    assert piped(laptop, "deploy")[0] == 0
    second = upstream.commit("two")[:12]
    code, output = piped(laptop, "deploy")
    assert (code, output) == (
        2,
        f"""blog on localhost
  ✔ fetch            0.0 s  1 commit
    {second} Say two
    post_deploy
    │ two
  ✘ post_deploy      0.0 s
    post_deploy
    │ one
  ✔ post_deploy      0.0 s
  ✔ restore          0.0 s
✘ post_deploy failed (exit 1): cat page; test $(cat page) = one.
  │ two
  {first} was restored and is live.
  Failed after 0.0 s.""",
    )


@pytest.fixture
def served(laptop: Laptop, tmp_path: Path) -> Iterator[Remote]:
    """A project with a real procmon."""
    with serving(laptop, tmp_path) as remote:
        yield remote


def test_a_release_that_cannot_serve_shows_its_traceback(laptop: Laptop, served: Remote, start: Start) -> None:
    code, output = piped(laptop, "deploy")
    assert code == 0
    assert re.search(r"^  ✔ reload +0.0 s  1 worker ready$", output, re.MULTILINE), output
    served.commit("v2", main_py="import absent\n")
    terminal = start("deploy")
    assert terminal.end() == 2
    seen = terminal.screen.text()
    _before, reason = seen.split("\n✘ ")
    assert seen.count("ModuleNotFoundError") == reason.count("ModuleNotFoundError") == 2
    assert reason.startswith("the new workers failed to start: ModuleNotFoundError: No module named\n  'absent'.\n")
    assert "\n  │ ModuleNotFoundError: No module named 'absent'\n" in reason, "as the end of its traceback"
    assert re.search(r"\n  \w{12} was restored and is live\.\n  Failed after \d+\.\d s\.$", reason)


@pytest.mark.parametrize(
    ("project", "says"),
    [("blgo", '[ERROR]: There is no project "blgo". Known projects: blog.'), ("blog", "cannot be reached: ")],
)
def test_what_cannot_be_reached_is_named(
    laptop: Laptop, upstream: Upstream, start: Start, project: str, says: str
) -> None:
    laptop.project("blog", upstream.path, connection="ssh", host="127.0.0.1", port=1)
    terminal = start("deploy", project=project)
    assert terminal.end() != 0
    seen = terminal.screen.history()
    assert says in seen
    assert "fatal:" not in seen
    assert "PLAY" not in seen
    assert len(seen.split("\n")) <= 6


def test_an_invalid_inventory_is_one_error(laptop: Laptop, upstream: Upstream, start: Start) -> None:
    laptop.project("blog", upstream.path, posst_deploy="true")
    for text, says in (
        (laptop.inventory.read_text(), "posst_deploy: unknown key; did you mean 'post_deploy'?"),
        ("plugin: onetouch.deploy.projects\nprojects:\n  blog: [\n", "projects.yml:4:1: YAML parsing failed"),
    ):
        laptop.inventory.write_text(text)
        terminal = start("deploy")
        assert terminal.end() == 4
        seen = terminal.screen.history()
        # A long path takes a line of its own.
        assert says.replace(" ", "") in "".join(seen.split())
        assert "[WARNING]" not in seen


def test_the_progress_comes_over_the_open_connection(
    over_ssh: Callable[..., Path], sshd: Sshd, tmp_path: Path, start: Start
) -> None:
    """A long deploy has one session more and no other login."""
    path = over_ssh(post_deploy=slow_hook(tmp_path))
    terminal = start("deploy")
    terminal.until(lambda screen: "collecting" in screen, "the hook's output")
    assert following(path)
    (tmp_path / "go").touch()
    assert terminal.end() == 0
    assert sshd.counts() == Counts(logins=1, executions=2)
    until(lambda: not following(path), "the end of what follows the progress")


def test_a_reader_that_leaves_does_not_stop_a_deploy(laptop: Laptop, upstream: Upstream, tmp_path: Path) -> None:
    path = laptop.project("blog", upstream.path, post_deploy=slow_hook(tmp_path))
    laptop.environment["ANSIBLE_STDOUT_CALLBACK"] = "onetouch.deploy.terminal"
    process = laptop.start("playbooks/deploy.yml", extra={"project": "blog"})
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "blog on localhost\n"
    process.stdout.close()
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert (path / "current/page").read_text() == "one"


def test_several_servers_have_a_row_each(laptop: Laptop, upstream: Upstream, tmp_path: Path, start: Start) -> None:
    laptop.servers("web1 web2", upstream, project_post_deploy=slow_hook(tmp_path))
    sha = upstream.git("rev-parse", "HEAD")[:12]
    terminal = start("deploy")
    rows = re.compile(r"^. blog@web1  post_deploy +\d+ s\n. blog@web2 ", re.MULTILINE)
    terminal.until(lambda screen: bool(rows.search(screen)), "the hook under way, and a row for the other server")
    (tmp_path / "go").touch()
    assert terminal.end() == 0
    assert without_times(terminal.screen.history()) == (
        f"""blog on 2 servers
✔ blog@web1  {sha}  went live           0.0 s  Say one
✔ blog@web2  {sha}  went live           0.0 s  Say one
✔ 2 servers, 0.0 s"""
    )


def test_the_first_of_several_servers_that_fails_explains_the_others(laptop: Laptop, upstream: Upstream) -> None:
    laptop.servers("web1 web2", upstream, project_post_deploy="echo collecting; exit 3")
    code, output = piped(laptop, "deploy")
    assert code == 2
    rows = output.split("\n")
    assert sorted(row[:11] for row in rows if "@" in row) == ["· blog@web2", "✘ blog@web1"]
    assert "    post_deploy failed (exit 3): echo collecting; exit 3." in rows
    assert rows.count("    │ collecting") == 1
    assert rows[-1] == "✘ 2 of 2 servers not deployed, 0.0 s"


def test_a_check_shows_what_would_come(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path)
    piped(laptop, "deploy")
    old = upstream.git("rev-parse", "HEAD")[:12]
    upstream.git("checkout", "--quiet", "--orphan", "other")
    new = upstream.commit("two")[:12]
    upstream.git("branch", "--force", "main")
    assert piped(laptop, "deploy", "--check", "--diff") == (
        0,
        f"""blog on localhost  check mode: nothing is changed
  ✔ fetch            0.0 s  1 commit, 1 dropped
    + {new} Say two
    - {old} Say one
✔ {new} Say two would go live, 0.0 s""",
    )


def test_a_revert_says_what_another_one_would_do(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path)
    first = upstream.git("rev-parse", "HEAD")[:12]
    piped(laptop, "deploy")
    second = upstream.commit("two")[:12]
    piped(laptop, "deploy")
    assert piped(laptop, "revert") == (
        0,
        f"""blog on localhost
  ✔ commits                 1 commit dropped
    - {second} Say two
✔ {first} Say one is live, 0.0 s
  Another revert would return to {second}.""",
    )


def test_setup_shows_what_it_changes(laptop: Laptop, upstream: Upstream, start: Start) -> None:
    laptop.project("blog", upstream.path)
    terminal = start("setup")
    terminal.until(lambda screen: re.search(r"\n  [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] [A-Z].* \d+ s$", screen) is not None, "a task")
    assert terminal.end() == 0
    seen = without_times(terminal.screen.history())
    assert seen.startswith("blog on localhost\n  ✔ Make the directories and clone the repository ")
    assert re.search(r"\n✔ blog on localhost: \d changes?, 0.0 s$", seen, re.MULTILINE)
    code, again = piped(laptop, "setup")
    lines = again.split("\n")
    assert (code, lines[:-1]) == (0, ["✔ blog on localhost: nothing to change, 0.0 s"])
    assert lines[-1].startswith("blog is ready on localhost; next: ")
    assert "[WARNING]" not in again


def test_status_shows_its_table_alone(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path)
    piped(laptop, "deploy")
    code, output = piped(laptop, "status")
    assert code == 0
    assert output.startswith("PROJECT")
    assert len(output.split("\n")) == 2


def test_long_and_wide_subjects_fit(laptop: Laptop, upstream: Upstream, start: Start) -> None:
    laptop.project("blog", upstream.path)
    upstream.git("commit", "--quiet", "--allow-empty", "--message", "三" * 100)
    terminal = start("deploy")
    assert terminal.end() == 0
    lines = terminal.screen.history().split("\n")
    assert all(width(line) <= 80 for line in lines)
    assert lines[-1].endswith(" s")
    assert "… is live, " in lines[-1]


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1 for character in line)


def test_with_v_the_output_is_ansibles_own(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path)
    code, output = piped(laptop, "deploy", "-v")
    assert code == 0
    assert "PLAY RECAP" in output
    assert re.search(r"^blog@localhost: \w{12} is live \(1 commit\)", output, re.MULTILINE)


def test_nothing_runs_on_after_a_kill(laptop: Laptop, over_ssh: Callable[..., Path], tmp_path: Path) -> None:
    """The laptop's Ansible is killed, and cannot clean up."""
    laptop.environment["ANSIBLE_STDOUT_CALLBACK"] = "onetouch.deploy.terminal"
    path = over_ssh(post_deploy=slow_hook(tmp_path))
    process = laptop.start("playbooks/deploy.yml", extra={"project": "blog"})
    until(lambda: following(path), "the progress is followed")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (tmp_path / "go").touch()
    until(lambda: last_outcome(path) == "live", "the server's own end")
    until(lambda: not following(path), "the end of what follows the progress")
