"""The check that finds words which plain technical English does without, in a repository of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


class Checkout:
    """A git repository with the check and the files of a test."""

    def __init__(self, path: Path, check: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "--quiet", str(path)], check=True)  # noqa: S607 - as the check does
        self.write("tools/checks/words", check.read_text())
        self.write("tools/words.toml", "[allowed]\n")

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def run(self, *options: str) -> tuple[int, list[str]]:
        """Run the check; return its exit status and its lines."""
        argv = [sys.executable, str(self.path / "tools/checks/words"), *options]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    """A checkout without any finding."""
    return Checkout(tmp_path, root / "tools/checks/words")


def test_a_finding_is_named_with_its_line_and_a_better_word(checkout: Checkout) -> None:
    checkout.write("docs/page.md", "# Page\n\nProcmon is told whoever asks.\n")
    code, lines = checkout.run()
    assert code == 1
    assert lines == [
        'docs/page.md:3: "told". Write given, sent or reported.',
        'docs/page.md:3: "whoever". Write a user who, or the process that.',
        "words: docs has 2, 0 are allowed (tools/words.toml)",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("two commits a line", "two commits a line"),
        ("per line, and one line about it", ""),
        ("Otherwise it would else be lost", "would else"),
        ("something else is there, or elsewhere", ""),
        ("mended", "mended"),
        ("recommended amendments", ""),
        ("Nobody, told", "Nobody told"),
        ("it tells which it is", "tells which"),
        ("tell one from another", ""),
        ("found. Else copy it. Anything else, if x else y", "Else copy"),
    ],
)
def test_whole_words_count(checkout: Checkout, text: str, found: str) -> None:
    checkout.write("docs/page.md", text)
    _code, lines = checkout.run()
    assert " ".join(line.split('"')[1] for line in lines if '"' in line) == found


def test_names_comments_docstrings_and_messages_of_python(checkout: Checkout) -> None:
    checkout.write(
        "plugins/a.py", '"""Say it."""\n\n\ndef _told():\n    # seldom\n    raise ValueError(f"nobody {1} anew")\n'
    )
    _code, lines = checkout.run()
    assert [line.split('"')[1] for line in lines[:-1]] == [
        "Say … at the beginning of a docstring",
        "_told",
        "seldom",
        "nobody",
        "anew",
    ]


def test_texts_of_tests_are_data(checkout: Checkout) -> None:
    checkout.write("tests/unit/test_a.py", '"""A test."""\n\n\ndef test_it():\n    assert "told" != f"said {1}"\n')
    assert checkout.run() == (0, [])
    checkout.write("tests/unit/test_b.py", "def test_what_is_told():\n    pass\n")
    assert checkout.run()[0] == 1


def test_what_is_allowed_can_only_fall(checkout: Checkout) -> None:
    checkout.write("tools/words.toml", "[allowed]\ndocs = 2\n")
    checkout.write("docs/page.md", "told\n")
    assert checkout.run() == (0, [])
    assert len(checkout.run("--all")[1]) == 1
    checkout.run("--lower")
    assert "docs = 1" in (checkout.path / "tools/words.toml").read_text().replace('"', "")
    checkout.write("docs/page.md", "told, said\n")
    checkout.run("--lower")
    assert checkout.run()[0] == 1
