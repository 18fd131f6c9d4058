# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hooks: the app's variables, several lines, and post_deploy in a restored release."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream

HIDDEN = "a value of the app"


@pytest.mark.parametrize("hook", ["pre_deploy", "post_deploy", "test"])
def test_hooks_have_the_variables_of_the_app(site: Site, upstream: Upstream, tmp_path: Path, hook: str) -> None:
    upstream.commit("one")
    env_file = tmp_path / "blog.env"
    env_file.write_text(f"HIDDEN='{HIDDEN}'\nexport REGION=eu\nDEPLOY_PROJECT=other\n")
    out = tmp_path / "out"
    command = f'printf "%s|" "$HIDDEN" "$REGION" "$DEPLOY_PROJECT" > {out}'
    answered = site.module(ref="master", env_file=str(env_file), **{hook: command})
    assert answered["changed"], answered
    assert out.read_text() == f"{HIDDEN}|eu|blog|"
    assert HIDDEN not in json.dumps(answered)
    assert HIDDEN not in site.paths.journal.read_text()


@pytest.mark.parametrize("hook", ["pre_deploy", "post_deploy", "test"])
@pytest.mark.parametrize("text", [None, "no assignment\n", b"\xff=1\n"])
def test_an_env_file_that_cannot_be_read_changes_nothing(
    site: Site, upstream: Upstream, tmp_path: Path, text: str | bytes | None, hook: str
) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    if text is not None:
        (tmp_path / "env").write_bytes(text if isinstance(text, bytes) else text.encode())
    failure = site.fail(ref="master", env_file=str(tmp_path / "env"), **{hook: "true"})
    assert f"env_file {tmp_path}/env cannot be read: " in failure.text
    assert (site.version, site.outcomes) == ("one", ["live", "failed"])
    assert site.consistent()
    assert site.deploy(env_file=str(tmp_path / "env")).changed, "without a hook it is not needed"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("echo first\nfalse\necho last\n", ["first"]),
        ("echo first\ntest -e nothing || echo absent\necho last", ["first", "absent", "last"]),
        ("false; echo last", ["last"]),
        ("false; echo last\n", ["last"]),
    ],
)
def test_a_hook_of_several_lines_stops_at_the_first_that_fails(
    site: Site, upstream: Upstream, command: str, lines: list[str]
) -> None:
    upstream.commit("one")
    answered = site.module(ref="master", pre_deploy=command)
    header, *written = site.paths.hook_log.read_text().splitlines()
    assert header.endswith(" pre_deploy")
    assert written == lines
    assert answered.get("failed", False) is (lines == ["first"])


def test_what_hooks_print_is_for_the_user_alone(site: Site, upstream: Upstream) -> None:
    """In the log and in the journal, which quotes its end. Files of an earlier version are corrected."""
    upstream.commit("one")
    kept = [site.paths.hook_log, site.paths.journal]
    for mode in (0o600, 0o644):
        for path in filter(Path.exists, kept):
            path.chmod(mode)
        assert site.module(ref="master", pre_deploy="echo password; false")["failed"]
        assert ["password" in path.read_text() for path in kept] == [True, True]
        assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]


def test_each_hook_has_a_header_in_the_log(site: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    """When, for which commit, and which hook, on a line of its own; no message or result has it."""
    hooks = {"pre_deploy": "printf unfinished", "post_deploy": "echo built; echo", "test": "true"}
    one = upstream.commit("one")
    site.deploy(status_file=procmon.status_file, **hooks)
    two = upstream.commit("two")
    failed = site.module(
        ref="master", status_file=str(procmon.status_file), progress="a", **{**hooks, "test": "echo no; false"}
    )
    assert failed["traceback_tail"] == "no"
    assert [each["text"] for each in failed["output"][:3]] == ["unfinished", "built\n\n", "no\n"]
    time = r"== \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "
    first, second = one[:12], two[:12]
    expected = [
        *(f"{time}{first} pre_deploy", "unfinished", f"{time}{first} post_deploy", "built", "", f"{time}{first} test"),
        *(f"{time}{second} pre_deploy", "unfinished", f"{time}{second} post_deploy", "built", ""),
        *(f"{time}{second} test", "no", f"{time}{first} post_deploy", "built", ""),
    ]
    assert re.fullmatch("\n".join(expected) + "\n", site.paths.hook_log.read_text())


# As a server has it whose language is set to an encoding of its own: Python would take C for UTF-8.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_hooks_under_a_locale_that_is_not_utf_8(
    site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What they write need not be UTF-8 either. The command and the variables reach them as they were written."""
    upstream.commit("one")
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)
    env_file = tmp_path / "blog.env"
    env_file.write_text("PLACE='Zürich'\n", encoding="utf-8")
    upstream.tag("grüße")
    command = r"""printf 'grüß %s \377\351\n' "$PLACE" """
    answered = site.module(ref="master", env_file=str(env_file), progress="a", post_deploy=command)
    assert answered["outcome"] == "live", answered
    assert answered["output"][0]["text"] == "grüß Zürich \ufffd\ufffd\n"
    assert "grüß Zürich ".encode() + b"\xff\xe9\n" in site.paths.hook_log.read_bytes()
    failed = site.module(ref="grüße", force=True, env_file=str(env_file), post_deploy=f"{command}; false")
    assert failed["traceback_tail"] == "grüß Zürich \ufffd\ufffd"


@pytest.mark.parametrize("variable", ["SSH_CLIENT", "BASH_ENV"])
def test_no_file_of_the_user_changes_the_path_of_a_hook(
    site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Debian's bash reads ~/.bashrc below sshd, where pyenv and the like put their own Python first."""
    upstream.commit("one")
    for name in (".bashrc", ".profile"):
        (tmp_path / name).write_text("PATH=/nowhere:$PATH\nexport PATH\n")
    monkeypatch.setenv("SHLVL", "0")
    monkeypatch.setenv(variable, str(tmp_path / ".bashrc") if variable == "BASH_ENV" else "127.0.0.1 2222 22")
    env_file = tmp_path / "env"
    env_file.write_text(f"HOME={tmp_path}\n")
    site.module(ref="master", env_file=str(env_file), pre_deploy='echo "$HOME $PATH"')
    home, path = site.paths.hook_log.read_text().splitlines()[-1].split()
    assert home == str(tmp_path)
    assert "/nowhere" not in path


def test_post_deploy_runs_again_in_the_restored_release(
    site: Site, upstream: Upstream, procmon: FakeProcmon, tmp_path: Path
) -> None:
    """It restarts what is the app's own, such as a queue's worker, which must not stay on the failed release."""
    out = tmp_path / "worker"
    hook = f'echo "$(cat VERSION) $DEPLOY_COMMIT $DEPLOY_RELEASE" > {out}'
    one = upstream.commit("one")
    site.deploy(status_file=procmon.status_file, post_deploy=hook)
    upstream.commit("two")
    failure = site.fail(ref="master", status_file=procmon.status_file, post_deploy=hook, test="false")
    assert failure.text.endswith("was restored and is live")
    assert out.read_text() == f"one {one} {site.paths.release(one)}\n"


def test_a_post_deploy_that_fails_in_the_restored_release_is_reported_and_procmon_serves_it(
    site: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    upstream.commit("two")
    failure = site.fail(ref="master", status_file=procmon.status_file, post_deploy="exit 3")
    assert failure.text.startswith("post_deploy failed (exit 3): exit 3. ")
    assert failure.text.endswith("was restored and is live; there post_deploy failed (exit 3): exit 3")
    assert (site.version, site.outcomes[-1]) == ("one", "put_back")
    assert procmon.serves == str(site.paths.current.resolve())


def test_post_deploy_does_not_run_again_when_it_was_not_started(
    site: Site, upstream: Upstream, procmon: FakeProcmon, tmp_path: Path
) -> None:
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    upstream.commit("two")
    hook = f"touch {tmp_path}/ran"
    # The switch fails: the name of its temporary link is taken by a directory.
    blocked = f"mkdir {site.path}/.current.new"
    failure = site.fail(ref="master", status_file=procmon.status_file, pre_deploy=blocked, post_deploy=hook)
    (site.path / ".current.new").rmdir()
    assert "was restored and is live" in failure.text
    assert not (tmp_path / "ran").exists()
