# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that a user may set: they reach no shell and no option parser, and odd ones work."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream

MARK = "touched"


@pytest.mark.parametrize(
    "options",
    [
        {"ref": "$(touch {mark})"},
        {"ref": ";touch${{IFS}}{mark}"},
        {"ref": "`touch {mark}`"},
        {"ref": "--output={mark}"},
        {"ref": "master --output={mark}"},
        {"ref": "master\n"},
        {"ref": "@{{upstream}}"},
        {"ref": ":/one"},
        {"ref": "HEAD"},
        {"ref": "master..master"},
        {"ref": "^master"},
        {"ref": "../../etc/passwd"},
        {"commit": "$(touch {mark})"},
        {"repo": "--upload-pack=touch {mark}"},
        {"repo": "ext::touch {mark}"},
        {"repo": "fd::17"},
        {"repo": "ssh://-oProxyCommand=touch {mark}/blog"},
        {"repo": "-oProxyCommand=touch {mark}:blog"},
        {"repo": "host:-blog;touch {mark}"},
        {"repo": "$(touch {mark})"},
        {"repo": "/nowhere; touch {mark}"},
        {"shared_paths": ["../{mark}"]},
        {"shared_paths": ["{mark}/../../x"]},
        {"shared_paths": ["{path}/{mark}"]},
        {"shared_paths": [".git/hooks"]},
        {"shared_paths": ["."]},
        {"restart_file": "../../{mark}"},
        {"restart_file": ""},
        {"to": "--output={mark}", "state": "reverted"},
        {"to": "$(touch {mark})", "state": "reverted"},
        {"path": "relative"},
        {"path": "{path}\n"},
        {"path": "{path}:2"},
    ],
    ids=str,
)
def test_a_hostile_value_is_refused_and_does_nothing(
    site: Site, upstream: Upstream, tmp_path: Path, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    given = {name: filled(value, mark=f"{tmp_path}/{MARK}", path=str(site.path)) for name, value in options.items()}
    answered = site.module(**{"ref": "master", **given})
    assert answered.get("failed"), answered
    assert "Traceback" not in answered["msg"]
    assert ". " in answered["msg"]
    assert {path.name for path in tmp_path.iterdir()} == before
    assert site.version == "one"


def filled(value: object, **words: str) -> object:
    if isinstance(value, list):
        return [filled(entry, **words) for entry in value]
    return str(value).format(**words)


def test_a_path_with_blanks_and_quotes(upstream: Upstream, tmp_path: Path) -> None:
    site = Site(tmp_path / "a \"b\" 'c' $(touch x) é;", upstream)
    for number in range(4):
        upstream.commit(f"v{number}", app_py=f"x = {number}")
        answered = site.module(ref="master", keep=1, post_deploy='cp VERSION "$SHARED/seen"')
        assert answered.get("changed"), answered
    assert site.module(state="reverted", steps=3)["changed"]
    assert (site.version, (site.paths.shared / "seen").read_text()) == ("v0", "v3\n")
    upstream.commit("last")
    assert site.module(ref="master", _ansible_check_mode=True)["changed"]
    assert site.consistent()
    assert {path.name for path in tmp_path.iterdir()} == {"upstream.git", "work", site.path.name}


def test_a_umask_that_shuts_others_out(site: Site, upstream: Upstream) -> None:
    before = os.umask(0o077)
    try:
        for number in range(3):
            upstream.commit(f"v{number}")
            assert site.module(ref="master", keep=1)["changed"]
        assert site.module(state="reverted")["changed"]
    finally:
        os.umask(before)
    assert site.consistent()


def test_a_server_without_git(site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.commit("one")
    site.deploy()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to(shutil.which("sh") or "/bin/sh")
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(tmp_path / "bin"))
        answered = site.module(ref="master")
    assert answered["failed"]
    assert "git: not found. Run setup, which installs it" in answered["msg"]
    assert site.version == "one"


def test_a_clock_that_was_set_back(site: Site, upstream: Upstream) -> None:
    """What is there is from the future: the times of files decide nothing."""
    for number in range(3):
        upstream.commit(f"v{number}", app_py=f"x = {number}", date=2_000_000_000 - number)
        site.deploy(keep=1)
    for path in site.path.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (2_100_000_000, 2_100_000_000))
    upstream.commit("next", app_py="x = 7")
    assert site.module(ref="master", keep=1)["changed"]
    assert site.version == "next"
    assert not site.module(ref="master", keep=1)["changed"]
    assert site.module(state="reverted")["changed"]
    assert (site.version, site.consistent()) == ("v2", True)
