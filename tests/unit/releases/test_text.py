# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of others: without secrets, and safe for a terminal."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import printable as text
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system import redaction


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://bot:s3cr3t@host/x.git", "https://host/x.git"),
        ("https://t0ken@host/x.git", "https://host/x.git"),
        ("https://bot:a@b:c@host/x.git", "https://host/x.git"),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git"),
        ("ssh://git:s3cr3t@host/x.git", "ssh://git@host/x.git"),
        ("ssh://:s3cr3t@host/x.git", "ssh://host/x.git"),
        ("git@host:me/x.git", "git@host:me/x.git"),
        ("https://host/x.git?token=s3cr3t&a=b", "https://host/x.git?…"),
        ("fatal: unable to access 'http://u:p@h/x/': no", "fatal: unable to access 'http://h/x/': no"),
        ("clone https://a:b@h/x and https://c:d@i/y", "clone https://h/x and https://i/y"),
        ("is it a git repository? see mail@host", "is it a git repository? see mail@host"),
        ("/srv/x.git", "/srv/x.git"),
    ],
)
def test_addresses_are_shown_without_secrets(given: str, shown: str) -> None:
    assert redaction.hide_secrets(given) == shown


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("https://bot:p%40ss@host/x.git", {"p%40ss", "p@ss"}),
        ("https://t0ken-of-a-bot:x-oauth-basic@host/x.git", {"t0ken-of-a-bot", "x-oauth-basic"}),
        ("https://t0ken@host/x.git", {"t0ken"}),
        ("https://host/x.git?token=s3cr3t&empty=", {"s3cr3t"}),
        ("ssh://git@host/x.git", set()),
        ("ssh://a-long-user:s3cr3t@host/x.git", {"s3cr3t"}),
        ("git@host:me/x.git", set()),
        ("/srv/x.git", set()),
        ("", set()),
    ],
)
def test_the_secrets_of_an_address(address: str, secrets: set[str]) -> None:
    assert redaction.secrets_of(address) == secrets


def test_text_for_a_terminal_keeps_its_lines() -> None:
    assert (
        text.printable("a\tb\r\n\x1b[2Jc\u2028\udcff\ud800")
        == "a\tb\\r\n\\x1b[2Jc\\u2028\N{REPLACEMENT CHARACTER}\\ud800"
    )


def test_an_answer_for_a_terminal() -> None:
    found = {"a\udce9": ["\x1b", ("b\tc", 1)], "none": None, "yes": True, "deep": {"er": 0.5}}
    expected = {"a\N{REPLACEMENT CHARACTER}": ["\\x1b", ["b\tc", 1]], "none": None, "yes": True, "deep": {"er": 0.5}}
    assert text.all_printable(found) == expected


def test_the_last_lines() -> None:
    assert text.tail("1\n2\n3\n\n", 2) == "2\n3"
