"""Expressions in YAML: what Ansible would read otherwise than it looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ESCAPE = re.compile(r"\\[nrt0]")
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


class Loader(yaml.SafeLoader):
    """Reads Ansible's own tags as plain values."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def texts(value: object) -> Iterator[str]:
    """Return every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in texts(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in texts(part))


def escapes(text: str) -> list[str]:
    """Return the expressions with an escape that Ansible does not turn into the character."""
    return [found for found in EXPRESSION.findall(text) if ESCAPE.search(found)]


def test_an_escape_in_an_expression_is_found() -> None:
    assert escapes(r"{{ text.split('\n') }} and '\n'") == [r"{{ text.split('\n') }}"]
    assert escapes("{{ text.splitlines() }}\n") == []


def test_no_expression_uses_an_escape(root: Path, files: list[Path]) -> None:
    r"""Ansible doubles backslashes: in an expression '\n' is a backslash and an n, never the end of a line."""
    documents = [
        path for path in files if path.suffix == ".yml" and path.parts[0] in {"roles", "playbooks", "molecule"}
    ]
    assert documents
    found = {
        str(path): bad
        for path in documents
        for document in yaml.load_all((root / path).read_text(), Loader)
        if (bad := [one for text in texts(document) for one in escapes(text)])
    }
    assert found == {}
