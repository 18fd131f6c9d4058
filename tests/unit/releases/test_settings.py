# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where packages come from, told to pip and uv without telling others."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import index as settings


@pytest.mark.parametrize(
    ("index", "entry"),
    [
        ("https://me:a%2Fb%25@pypi.example.com:8443/simple", "machine pypi.example.com login me password a/b%\n"),
        ("https://pypi.example.com/simple", None),
        ("https://token@pypi.example.com/simple", None),
        ("https://me:a%20b@pypi.example.com/simple", None),
        ("/srv/wheels", None),
    ],
)
def test_a_line_of_netrc(index: str, entry: str | None) -> None:
    assert settings.netrc_entry(index) == entry


def test_a_netrc_of_the_users_own_still_counts_and_ours_ends_with_the_installation(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine other login a password b")
    with settings.untold("https://me:hush@host/simple", {"HOME": str(tmp_path)}) as told:
        netrc = Path(told["NETRC"])
        assert netrc.read_text() == "machine other login a password b\nmachine host login me password hush\n"
        assert netrc.stat().st_mode & 0o077 == 0
        assert told["PIP_INDEX_URL"] == "https://host/simple"
    assert not netrc.exists()
