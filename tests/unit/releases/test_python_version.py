# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Version specifiers mean here what they mean to pip."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.python_version import is_allowed
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "~=", "==="])
releases = st.lists(st.integers(0, 13), min_size=1, max_size=4).map(lambda places: ".".join(map(str, places)))
endings = st.sampled_from(["", ".*", "rc1", "a2", ".dev0", "-beta.1"])
clauses = st.tuples(operators, st.sampled_from(["", " "]), releases, endings).map("".join)
versions = st.tuples(st.just(3), st.integers(0, 14), st.integers(0, 12)).map(lambda places: ".".join(map(str, places)))


@given(versions, st.lists(clauses, max_size=3).map(",".join))
def test_any_specifier_means_the_same_as_to_packaging(version: str, specifier: str) -> None:
    try:
        expected = SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return
    if "===" not in specifier:
        assert is_allowed(version, specifier) == expected


@pytest.mark.parametrize(
    ("specifier", "allowed"),
    [
        (">=3.13", False),
        (">=3.9,<4", True),
        (">= 3.9, != 3.11.*", False),
        ("~=3.10", True),
        ("~=3.10.0", False),
        ("==3.11.*", True),
        ("===3.11.2", True),
        (">=3.11.2rc1", True),
        ("<3.12.dev0", True),
        (">3.11", True),
        ("", True),
    ],
)
def test_usual_specifiers(specifier: str, allowed: bool) -> None:
    assert is_allowed("3.11.2", specifier) == allowed


@pytest.mark.parametrize("specifier", ["^3.11", "3.11", ">=three", ">=4,^3", ">=3.11 <4"])
def test_what_is_no_specifier(specifier: str) -> None:
    with pytest.raises(ValueError, match="is not a version specifier"):
        is_allowed("3.11.2", specifier)
