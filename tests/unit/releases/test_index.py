# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where packages come from, passed to pip and uv without showing it to others."""

from __future__ import annotations

import netrc
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import index


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("https://me:a%2Fb%25@pypi.example.com:8443/simple", "machine pypi.example.com login me password a/b%\n"),
        ("https://pypi.example.com/simple", None),
        ("https://token@pypi.example.com/simple", None),
        ("https://me:a%20b@pypi.example.com/simple", None),
        ("/srv/wheels", None),
    ],
)
def test_an_entry_of_netrc(address: str, entry: str | None) -> None:
    assert index.netrc_entry(address, quoted=False) == entry


@pytest.mark.parametrize(
    ("address", "login"),
    [
        ("https://me:a%2Fb%25@pypi.example.com:8443/simple", ("me", "", "a/b%")),
        ("https://t0ken@pypi.example.com/simple", ("t0ken", "", "")),
        ("https://t0ken:@pypi.example.com/simple", ("t0ken", "", "")),
        ("https://me:a%20b%22%5C'%23c@pypi.example.com/simple", ("me", "", "a b\"\\'#c")),
    ],
)
def test_with_quotes_netrc_holds_every_password_and_tokens(
    tmp_path: Path, address: str, login: tuple[str, str, str]
) -> None:
    entry = index.netrc_entry(address, quoted=True)
    assert entry is not None
    (tmp_path / "netrc").write_text(entry)
    assert netrc.netrc(str(tmp_path / "netrc")).authenticators("pypi.example.com") == login


@pytest.mark.parametrize("address", ["https://pypi.example.com/simple", "/srv/wheels", "file:///srv/a@b"])
def test_an_address_without_a_login_needs_no_netrc(address: str) -> None:
    assert index.netrc_entry(address, quoted=True) is None


def test_a_netrc_of_the_users_own_still_counts_and_ours_ends_with_the_installation(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_bytes(b"# caf\xe9\nmachine other login a password b")
    with index.hidden_credentials("https://me:hush@host/simple", {"HOME": str(tmp_path)}, quoted=False) as variables:
        netrc = Path(variables["NETRC"])
        expected = b"# caf\xe9\nmachine other login a password b\nmachine host login me password hush\n"
        assert netrc.read_bytes() == expected
        assert netrc.stat().st_mode & 0o077 == 0
        assert variables["PIP_INDEX_URL"] == "https://host/simple"
    assert not netrc.exists()


def test_a_directory_is_the_only_source() -> None:
    assert index.index_variables("/srv/wheels") == {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels"}
    assert index.uv_arguments("/srv/wheels") == ["--no-index", "--find-links", "/srv/wheels"]


def test_an_address_is_never_an_argument() -> None:
    assert index.uv_arguments("https://me:hush@host/simple") == []
    assert index.uv_arguments(None) == []
