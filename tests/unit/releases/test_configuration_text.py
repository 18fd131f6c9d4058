# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""procmon.toml and procmon.env as text: whatever the inventory takes, procmon reads as it was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import env_file
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.configuration import plan, text
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.configuration.text import Wanted
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from procmon.config import Config, load
from procmon.master.release import parse_env_file

BASE: dict[str, Any] = {
    "name": "blog",
    "directory": "/srv/my blog/current",
    "app": "blog.main:app",
    "bind": "127.0.0.1:3001",
}


def read(tmp_path: Path, env_path: str | None = None, **settings: object) -> Config:
    """Return what procmon reads of settings."""
    path = tmp_path / "blog.toml"
    path.write_text(text.procmon_toml({**BASE, **settings}, env_path), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize(
    "options",
    [
        {
            "log_level": "warning",
            "proxy_headers": True,
            "limit_concurrency": 100,
            "h11_max_incomplete_event_size": 1 << 20,
        },
        {"headers": [["x-served-by", 'a "quoted"\nname\x7f']], "forwarded_allow_ips": ["127.0.0.1", "::1"]},
        {
            "log_config": {
                "version": 1,
                "root": {"level": "INFO", "handlers": []},
                "formatters": {},
                "a b.c": {"ü": 1.5},
            }
        },
    ],
)
def test_uvicorns_options_arrive_as_they_are(tmp_path: Path, options: dict[str, Any]) -> None:
    """Lists of lists and mappings, too: such as a whole configuration of logging."""
    assert read(tmp_path, uvicorn=options).uvicorn == options


def test_the_smallest_configuration_and_one_with_everything(tmp_path: Path) -> None:
    small = read(tmp_path, heartbeat={}, state_dir=None)
    assert (small.directory, small.workers, small.env_file) == (Path("/srv/my blog/current"), 2, "")
    sections = {"heartbeat": {"accept": [200, 204], "path": "/up"}, "reload": {"surge": "one"}}
    full = read(tmp_path, "/etc/blog.env", workers=3, **sections, worker={"max_rss": "300M"})
    assert (full.env_file, full.heartbeat.accept, full.reload.surge) == ("/etc/blog.env", (200, 204), "one")
    assert (full.workers, full.worker.max_rss_bytes) == (3, 300 << 20)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {1, 2}])
def test_a_value_that_no_file_can_hold_is_refused(value: object) -> None:
    with pytest.raises(ReleaseError, match="config has limit = "):
        text.procmon_toml({**BASE, "uvicorn": {"limit": value}}, None)


def test_variables_are_read_by_procmon_as_they_were_given() -> None:
    values = {"PLAIN": "a", "QUOTED": 'say "hi" # to $ALL', "LINES": "a\nb", "UMLAUT": "ü", "EMPTY": "", "NUMBER": "1"}
    assert parse_env_file(env_file.render(values)) == values


def test_what_differs_has_names_and_no_values() -> None:
    old = text.procmon_toml({**BASE, "workers": 1, "heartbeat": {"path": "/"}}, "/a/procmon.env")
    new = text.procmon_toml({**BASE, "workers": 2, "heartbeat": {"path": "/", "guard": 3}}, "/b/procmon.env")
    assert text.changed_settings(old, new) == ["workers", "heartbeat.guard"]
    assert text.differences(old, new) == ["- workers = 1", "+ workers = 2", "+ heartbeat.guard = 3"]
    assert text.changed_variables("A=1\nB=2\n", "B=2\nC=3\nA=0\n") == ["env.A", "env.C"]
    assert text.changed_variables("damaged", "A=1") == ["env.A"], "it is written again"


@pytest.mark.parametrize(
    ("running", "bind", "waiting"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", None),
        (None, "127.0.0.1:2", None),
        ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:2"),
    ],
)
def test_an_address_that_serves_is_changed_by_setup_only(running: str | None, bind: str, waiting: str | None) -> None:
    found, held = plan.hold_bind(Wanted({**BASE, "bind": bind}), running)
    assert held == waiting
    assert found.settings is not None
    assert found.settings["bind"] == (running or bind)


def test_without_an_app_there_is_no_address_to_hold() -> None:
    assert plan.hold_bind(Wanted(None, "A=1"), "127.0.0.1:1") == (Wanted(None, "A=1"), None)
