# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret of an address is left in a text."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import without_credentials
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://me:s3cr3t@host/simple failed", "at https://host/simple failed"),
        ("at https://t0ken@host/simple", "at https://host/simple"),
        ("at https://me:p@ss@host/simple", "at https://host/simple"),
        ("'https://me:s3cr3t@host'", "'https://host'"),
        ("https://me:s3cr3t@host?a@b", "https://host?a@b"),
        ("git+ssh://bot:s3cr3t@host/x@v1", "git+ssh://host/x@v1"),
        ("https://host/simple?token=s3cr3t&page=2", "https://host/simple?token=***&page=2"),
        ("https://host/a?page=2&X-Amz-Signature=s3cr3t.", "https://host/a?page=2&X-Amz-Signature=***"),
        ("next=https%3A%2F%2Fme%3As3cr3t%40host%2Fsimple", "next=https%3A%2F%2Fhost%2Fsimple"),
        ("see https://host/@scope/package and a@b.example", "see https://host/@scope/package and a@b.example"),
        ("git+https://host/x@v1 // me@home", "git+https://host/x@v1 // me@home"),
    ],
)
def test_credentials_in_addresses_are_removed(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4).filter(
    lambda word: word not in "https://me:@host/x***"
)


@given(SECRETS)
def test_the_secret_of_a_known_address_is_found_outside_of_one(secret: str) -> None:
    address = f"https://me:{quote(secret, safe='')}@host/x"
    for form in (secret, quote(secret), quote(secret, safe="")):
        assert secret not in without_credentials(f"401 {form} 401", address)


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("login t0ken failed", "https://t0ken@host/x", "login *** failed"),
        ("login me failed: s3cr3t", "https://me:s3cr3t@host/x", "login me failed: ***"),
        ("got s3cr3t", "https://host/x?token=s3cr3t", "got ***"),
        ("a is a word", "https://me:a@host/x", "a is a word"),
        ("/srv/wheels", "/srv/wheels", "/srv/wheels"),
    ],
)
def test_secrets_outside_of_addresses(text: str, address: str, shown: str) -> None:
    assert without_credentials(text, address) == shown
