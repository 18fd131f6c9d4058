"""Fixtures for procmon's tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.procmon.service import Service, Start


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Start]:
    """A function that prepares a procmon with release "a" as its current one; it is ended with the test."""
    with contextlib.ExitStack() as ends:

        def prepare(**settings: object) -> Service:
            root = tmp_path / f"service-{len(list(tmp_path.iterdir()))}"
            root.mkdir()
            made = Service(root, **settings)
            ends.callback(made.close)
            made.release("a")
            made.switch("a")
            return made

        yield prepare
