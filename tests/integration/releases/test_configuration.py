# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deploy brings its configuration: live with its release, restored with it, and never the one without the other."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import unit
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

from tests.support.releases.real_procmon import APP, RealProcmon
from tests.support.releases.site import Site, start_module
from tests.support.releases.upstream import Upstream
from tests.support.waiting import until

HIDDEN = "s3cret-Value"
# What is wrong: the settings, the hooks, and the reason that is given.
FAILURES: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "setting": ({"reload": {"boot_timeout": -1}}, {}, "reload.boot_timeout = -1: must be"),
    "test": ({}, {"test": "test $COLOUR = blue && false"}, "test failed"),
    "start": ({"app": "absent:app"}, {}, 'Could not import module "absent"'),
}


@pytest.fixture
def served(site: Site, upstream: Upstream, tmp_path: Path) -> Iterator[RealProcmon]:
    """A project that setup has configured, with version v1 live."""
    upstream.commit("v1", main_py=APP)
    started = RealProcmon(site, tmp_path / "state")
    started.state.mkdir()
    site.run(state="present")
    configured = configure(started)
    assert (configured["changed"], configured["previous"]) == (True, None)
    started.start()
    assert site.deploy(**started.options()).changed
    assert started.answer() == ("v1", "red")
    yield started
    started.kill()


def configure(served: RealProcmon, colour: str = "red", **changed: object) -> dict[str, Any]:
    """Write the configuration as setup does; the names of options are those of `RealProcmon.options`."""
    restore = changed.pop("restore", None)
    given = {"name": "blog", "path": str(served.site.path), **served.options(colour, **changed)}
    answered = start_module("project_configuration", {**given, **({"restore": restore} if restore else {})})
    return json.loads(answered.communicate(timeout=60)[0])  # type: ignore[no-any-return]


# -- what goes live ---------------------------------------------------------------------------------------------------


def test_settings_and_variables_go_live_without_a_new_commit(site: Site, served: RealProcmon) -> None:
    report = site.deploy(**served.options("blue", workers=2))
    assert (report.changed, report.settings) == (True, ["workers", "env.COLOUR"])
    assert report.msg.endswith("is live (no new commits; settings: workers, env.COLOUR)")
    assert served.answer() == ("v1", "blue")
    until(lambda: len(served.status()["workers"]) == 2, "two workers serve")
    assert not site.deploy(**served.options("blue", workers=2)).changed


def test_another_restart_file_that_exists_already(site: Site, served: RealProcmon) -> None:
    """What is touched is the file that procmon watches until then, so that is what it has to answer."""
    other = site.paths.shared / "public/system/other"
    other.touch()
    asked = {**served.options(), "restart_file": "public/system/other", "reload_timeout": 20}
    failed = site.fail(state="deployed", ref="master", test="false", **asked)
    assert failed.text.endswith("was restored and is live")
    assert str(served.status()["restart_file"]).endswith("/restart")
    assert site.deploy(**asked).settings == ["restart_file"]
    assert str(served.status()["restart_file"]).endswith("/other")
    assert site.deploy(**asked, force=True).changed


def test_nothing_new_is_no_deploy(site: Site, served: RealProcmon) -> None:
    generation = served.status()["generation"]
    report = site.deploy(**served.options())
    assert (report.changed, report.settings) == (False, [])
    assert served.status()["generation"] == generation


def test_the_configuration_and_the_code_go_live_together(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    """Neither works with the other's former one: the app was renamed."""
    (upstream.work / "main.py").rename(upstream.work / "renamed.py")
    upstream.commit("v2")
    assert site.deploy(**served.options("blue", app="renamed:app")).changed
    assert served.answer() == ("v2", "blue")


def test_a_revert_keeps_the_settings_of_today(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    upstream.commit("v2")
    site.deploy(**served.options("blue"))
    assert site.revert(**served.options("green")).changed
    assert served.answer() == ("v1", "green")


def test_without_a_configuration_the_live_one_stays(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    upstream.commit("v2")
    kept = {**served.options(), "config": None, "env": None}
    assert site.deploy(**kept, post_deploy='test "$COLOUR" = red').settings == []
    assert served.answer() == ("v2", "red")
    assert not site.deploy(**kept).changed


def test_a_live_configuration_that_is_gone_cannot_stay(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    """procmon could not read it: the deploy would fail after the switch, and so would the rollback."""
    upstream.commit("v2")
    shutil.rmtree(site.paths.configs)
    kept = {**served.options(), "config": None, "env": None}
    failed = site.fail(state="deployed", ref="master", **kept)
    assert "is gone, and it has the settings that are to stay. Deploy with the settings" in failed.text
    assert (site.version, site.outcomes[-1], served.answer()) == ("v1", "failed", ("v1", "red"))
    assert site.deploy(**served.options("blue")).changed
    assert served.answer() == ("v2", "blue")


def test_where_it_is_and_who_can_read_it(site: Site, served: RealProcmon) -> None:
    paths = site.paths
    assert f'env_file = "{paths.procmon_env.resolve()}"' in paths.procmon_toml.read_text()
    assert paths.procmon_env.read_text() == 'COLOUR="red"\n'
    assert stat.S_IMODE(paths.procmon_env.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.procmon_toml.stat().st_mode) == 0o644
    assert served.status()["active_config_file"] == str(paths.procmon_toml.resolve())
    below_the_release = [*paths.current.resolve().rglob("*")]
    assert not any(path.name.endswith(".env") for path in below_the_release)


def test_a_project_that_is_reached_through_a_link(site: Site, served: RealProcmon) -> None:
    (site.path.parent / "www").symlink_to(site.path.parent)
    linked = {**served.options(), "path": str(site.path.parent / "www" / "blog")}
    assert site.deploy(**linked).settings == ["directory"], "only that has another name"
    again = site.deploy(**linked)
    assert (again.settings, again.changed) == ([], False)
    assert served.answer() == ("v1", "red")


def test_the_original_script_takes_turns(site: Site, served: RealProcmon) -> None:
    """It makes the clone the live release, which then needs the configuration."""
    site.paths.current.unlink()
    site.paths.current.symlink_to("source")
    assert 'app = "main:app"' in site.paths.procmon_toml.read_text()
    assert site.deploy(**served.options()).changed
    assert served.answer() == ("v1", "red")


def test_an_app_without_variables(site: Site, served: RealProcmon) -> None:
    assert site.deploy(**{**served.options(), "env": {}}).settings == ["env.COLOUR"]
    assert served.answer() == ("v1", None)
    assert not site.paths.procmon_env.is_symlink()


def test_old_configurations_are_removed(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    for number in range(4):
        upstream.commit(f"n{number}")
        site.deploy(**served.options(f"c{number}"), keep=2)
    used = {path.resolve().parent.name for path in site.paths.releases.glob("*/.procmon.toml")}
    assert {path.name for path in site.paths.configs.iterdir()} == used
    assert len(used) == 2


# -- what is put back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new_commit", [True, False])
@pytest.mark.parametrize("strategy", ["releases", "in_place"])
@pytest.mark.parametrize("cause", FAILURES)
def test_a_failure_restores_code_and_configuration(
    served: RealProcmon, cause: str, strategy: str, new_commit: bool
) -> None:
    site = served.site
    site.deploy(**served.options("green"), strategy=strategy, force=True)
    if new_commit:
        site.upstream.commit("v2")
    settings, hooks, reason = FAILURES[cause]
    failure = site.fail(ref="master", strategy=strategy, **served.options("blue", **settings), **hooks)
    assert reason in failure.text + failure.error.detail
    assert "was restored and is live" in failure.text
    assert served.answer() == ("v1", "green")
    assert site.paths.procmon_env.read_text() == 'COLOUR="green"\n'
    assert "absent" not in site.paths.procmon_toml.read_text()
    served.kill()
    served.start()
    until(lambda: served.status()["state"] == "serving", "a procmon that is started again serves")
    assert served.answer() == ("v1", "green")
    assert site.deploy(**served.options("green"), strategy=strategy).changed is new_commit


def test_hooks_have_the_variables_of_their_own_release(site: Site, served: RealProcmon, tmp_path: Path) -> None:
    hooks = {hook: f"echo {hook} $COLOUR >> {tmp_path}/seen" for hook in ("pre_deploy", "post_deploy")}
    site.fail(ref="master", **served.options("blue"), **hooks, test="false")
    seen = ["pre_deploy blue", "post_deploy blue", "post_deploy red"]
    assert (tmp_path / "seen").read_text().splitlines() == seen


def test_the_first_deploy_that_fails_leaves_what_setup_wrote(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("v1", main_py="raise SystemExit(1)")
    procmon = RealProcmon(site, tmp_path / "state")
    procmon.state.mkdir()
    site.run(state="present")
    configure(procmon)
    written = site.paths.procmon_toml.read_text()
    procmon.start()
    try:
        site.fail(ref="master", **procmon.options("blue"))
        assert site.paths.procmon_toml.read_text() == written
        assert site.paths.procmon_env.read_text() == 'COLOUR="red"\n'
    finally:
        procmon.kill()


# -- what a run shows -------------------------------------------------------------------------------------------------


def test_check_and_diff_show_names_and_change_nothing(site: Site, served: RealProcmon) -> None:
    before = sorted(site.paths.configs.iterdir())
    options = {**served.options(workers=3), "env": {"COLOUR": HIDDEN, "NEW": HIDDEN}}
    report = site.check(state="deployed", ref="master", **options)
    assert (report.changed, report.settings) == (True, ["workers", "env.COLOUR", "env.NEW"])
    shown = report.diff()["prepared"]
    assert "- workers = 1\n+ workers = 3\n~ env.COLOUR\n~ env.NEW\n" in shown
    assert HIDDEN not in shown + report.msg
    assert sorted(site.paths.configs.iterdir()) == before


def test_no_value_of_a_variable_is_returned_or_recorded(site: Site, served: RealProcmon) -> None:
    answered = site.module(ref="master", **{**served.options(), "env": f"COLOUR={HIDDEN}\n"})
    assert answered["settings"] == ["env.COLOUR"]
    assert HIDDEN not in json.dumps(answered)
    assert HIDDEN not in site.paths.journal.read_text() + site.paths.hook_log.parent.name
    assert json.loads(site.paths.journal.read_text().splitlines()[-1])["settings"] == ["env.COLOUR"]
    assert served.answer() == ("v1", HIDDEN)


def test_a_new_address_waits_for_setup(site: Site, served: RealProcmon) -> None:
    other = served.config(bind="127.0.0.1:1", workers=2)
    report = site.deploy(**{**served.options(), "config": other})
    assert report.settings == ["workers"]
    wanted = f"blog: run setup for: bind (procmon listens on 127.0.0.1:{served.port}, 127.0.0.1:1 is configured)"
    assert wanted in report.warnings
    assert served.answer() == ("v1", "red")


def test_other_writable_paths_wait_for_setup(
    site: Site, served: RealProcmon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit is root's. A deploy goes on, and names the paths that differ."""
    part = tmp_path / "units/procmon@blog.service.d/project.conf"
    part.parent.mkdir(parents=True)
    part.write_text(f'[Service]\nReadWritePaths="{site.path}"\nReadWritePaths="/srv/old"\n')
    monkeypatch.setattr(unit, "UNITS", tmp_path / "units")
    report = site.deploy(**{**served.options("blue"), "writable_paths": ["/srv/uploads"]})
    assert report.warnings == ["blog: run setup for: writable_paths (/srv/old, /srv/uploads)"]
    assert served.answer() == ("v1", "blue")
    assert site.deploy(**{**served.options("blue"), "writable_paths": ["/srv/old"]}).warnings == []


def test_a_procmon_with_a_configuration_of_its_own_is_named(site: Site, served: RealProcmon, tmp_path: Path) -> None:
    """As the version before has left it: nothing is lost, and the way to settings that travel is named."""
    own = tmp_path / "blog.toml"
    own.write_bytes(site.paths.procmon_toml.read_bytes())
    served.kill()
    served.start(own)
    until(lambda: served.status()["state"] == "serving", "it serves")
    report = site.deploy(**served.options("blue"))
    assert any(f"procmon still reads {own}. Run setup once" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"config": {"name": "other"}}, "config has name. It is the option name: remove the key"),
        ({"config": {"uvicorn": {"x": float("inf")}}}, "config has x = inf"),
        ({"env": "no pair"}, "env cannot be read: line 1 must be KEY=value"),
        ({"env": 3}, "env is neither a mapping nor a text"),
    ],
)
def test_what_cannot_be_written_is_refused(
    site: Site, served: RealProcmon, changed: dict[str, object], text: str
) -> None:
    with pytest.raises(ReleaseError) as raised:
        site.deploy(**{**served.options(), **changed})
    assert text in str(raised.value)
    assert served.answer() == ("v1", "red")


def test_a_repository_with_a_file_of_that_name(site: Site, upstream: Upstream, served: RealProcmon) -> None:
    (upstream.work / ".procmon.toml").write_text("")
    upstream.commit("v2")
    failure = site.fail(ref="master", **served.options("blue"))
    assert "Remove .procmon.toml from the repository" in failure.text
    assert served.answer() == ("v1", "red")


def test_what_waits_is_named_by_the_status(site: Site, served: RealProcmon) -> None:
    status_file = str(served.state / "status.json")
    same = site.info(status_file=status_file, config=served.config())
    assert (same["waiting_settings"], same["waiting_for_setup"], same["notes"]) == ([], [], [])
    other = served.config(bind="127.0.0.1:1", workers=2, uvicorn={"log_level": "info"})
    found = site.info(status_file=status_file, config=other)
    assert found["waiting_settings"] == ["bind", "workers", "uvicorn.log_level"]
    assert found["notes"] == ["settings wait for a deploy: workers, uvicorn.log_level", "run setup for: bind"]
    assert site.info(status_file=status_file)["waiting_settings"] == []


# -- setup ------------------------------------------------------------------------------------------------------------


def test_setup_writes_what_is_live_and_can_put_it_back(site: Site, served: RealProcmon) -> None:
    before = site.paths.procmon_toml.resolve()
    again = configure(served)
    assert (again["changed"], again["configuration"]) == (False, before.parent.name)
    changed = configure(served, "blue", workers=3)
    assert (changed["settings"], changed["previous"]) == (["workers", "env.COLOUR"], before.parent.name)
    assert "workers = 3" in site.paths.procmon_toml.read_text()
    assert configure(served, restore=changed["previous"])["configuration"] == before.parent.name
    assert site.paths.procmon_toml.resolve() == before


def test_a_project_without_an_app_has_variables_for_its_hooks(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    options: dict[str, Any] = {"env": {"COLOUR": "red"}, "post_deploy": "echo $COLOUR > $SHARED/colour"}
    assert site.deploy(**options).settings == ["env.COLOUR"]
    assert (site.paths.shared / "colour").read_text() == "red\n"
    assert site.paths.procmon_env.read_text() == 'COLOUR="red"\n'
    assert not site.deploy(**options).changed
    site.fail(ref="master", **{**options, "env": {"COLOUR": "blue"}}, test="false")
    assert site.paths.procmon_env.read_text() == 'COLOUR="red"\n'
    assert not site.paths.procmon_toml.is_symlink()
