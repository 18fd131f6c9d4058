"""What systemctl prints of units, and what counts as a file that differs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.service_state import (
    differs,
    is_off,
    is_running,
    parse_units,
)

# systemd 252
SHOWN = """Id=procmon@blog.service
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no

Id=nope.socket
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
"""
CONTENT = "[Unit]\n"
WANTED = {"sha256": hashlib.sha256(CONTENT.encode()).hexdigest(), "mode": "0644"}


def test_units_are_read_by_name() -> None:
    found = parse_units(SHOWN)
    assert (is_running(found["procmon@blog.service"]), is_off(found["procmon@blog.service"])) == (True, False)
    assert (is_running(found["nope.socket"]), is_off(found["nope.socket"])) == (False, True)
    assert (is_running({}), is_off({})) == (False, True)
    assert parse_units("") == {}


@pytest.mark.parametrize(
    "changed", [{"ActiveState": "failed"}, {"UnitFileState": "disabled"}, {"NeedDaemonReload": "yes"}]
)
def test_a_unit_runs_as_wanted_now_and_after_a_boot(changed: dict[str, str]) -> None:
    assert not is_running({**parse_units(SHOWN)["procmon@blog.service"], **changed})


def test_a_file_differs_by_its_content_its_mode_and_its_kind(tmp_path: Path) -> None:
    file = tmp_path / "unit"
    assert differs(file, WANTED)
    file.write_text(CONTENT)
    file.chmod(0o644)
    assert not differs(file, WANTED)
    file.chmod(0o600)
    assert differs(file, WANTED)
    file.chmod(0o644)
    file.write_text("[Service]\n")
    assert differs(file, WANTED)
    file.rename(tmp_path / "other")
    file.symlink_to("other")
    assert differs(file, WANTED)


def test_a_link_differs_by_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "link"
    assert differs(link, {"link": "/a"})
    link.write_text("no link")
    assert differs(link, {"link": "/a"})
    link.unlink()
    link.symlink_to("/a")
    assert not differs(link, {"link": "/a"})
    assert differs(link, {"link": "/b"})


def test_what_must_not_be_there_differs_when_it_is(tmp_path: Path) -> None:
    former = tmp_path / "former"
    assert not differs(former, {})
    former.symlink_to("nowhere")
    assert differs(former, {})
