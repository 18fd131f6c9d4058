# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Compares the version of an interpreter with a version specifier, as in `requires-python`."""

from __future__ import annotations

import re

CLAUSE = re.compile(
    r"(?P<operator>~=|===?|!=|<=|>=|<|>)\s*v?(?P<release>\d+(?:\.\d+)*)"
    r"(?:(?P<any>\.\*)|(?P<early>[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)[-_.]?\d*))?",
    re.IGNORECASE,
)
Release = tuple[int, ...]


def is_allowed(version: str, specifier: str) -> bool:
    """Return whether `version`, such as 3.11.2, is allowed by `specifier`, such as `>=3.9,!=3.10.*`.

    Raises ValueError when the specifier cannot be read.
    """
    clauses = [clause.strip() for clause in specifier.split(",")]
    # Each one is read, so that a wrong one never goes unnoticed behind one that does not hold.
    held = [_holds(clause, _release(version)) for clause in clauses if clause]
    return all(held)


def _holds(clause: str, version: Release) -> bool:
    found = CLAUSE.fullmatch(clause)
    if found is None:
        raise ValueError(f"{clause!r} is not a version specifier")
    release, operator = _release(found["release"]), found["operator"]
    if operator in {"==", "!="}:
        same = _is_under(version, release) if found["any"] else _compare(version, release) == 0 and not found["early"]
        return same is (operator == "==")
    order = _compare(version, release) or (1 if found["early"] else 0)
    if operator == "~=":
        return order >= 0 and _is_under(version, release[:-1])
    return {"===": order == 0, "<=": order <= 0, ">=": order >= 0, "<": order < 0, ">": order > 0}[operator]


def _release(text: str) -> Release:
    return tuple(map(int, text.split(".")))


def _is_under(version: Release, prefix: Release) -> bool:
    return version[: len(prefix)] == prefix


def _compare(version: Release, other: Release) -> int:
    """Return -1, 0 or 1; missing places are zeros."""
    places = max(len(version), len(other))
    first, second = (release + (0,) * (places - len(release)) for release in (version, other))
    return (first > second) - (first < second)
