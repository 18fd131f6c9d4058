"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import host_vars, schema

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")
ANCHORED = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")
ROW = re.compile(r"^\| `(\w+)` \|.*\| ?([^|]*?) ?\|$", re.MULTILINE)
BASES = (".", "plugins/module_utils/_releases", "roles/supervisor/files/procmon/src/procmon")
PLAYBOOK = re.compile(r"ansible-playbook (?:playbooks/)?([a-z_]+)\.yml|onetouch\.deploy\.([a-z_]+) -e project")


def documents(root: Path, files: list[Path]) -> dict[Path, str]:
    """The text of each Markdown file."""
    return {path: (root / path).read_text() for path in files if path.suffix == ".md"}


def test_links_lead_somewhere(root: Path, files: list[Path]) -> None:
    broken = {
        (path, target)
        for path, text in documents(root, files).items()
        for target in LINK.findall(text)
        if not (root / path.parent / target).exists()
    }
    assert broken == set()


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    plain = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", plain, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_anchors_lead_to_headings(root: Path, files: list[Path]) -> None:
    texts = documents(root, files)
    known = {(root / path).resolve(): anchors(text) for path, text in texts.items()}
    broken = {
        (str(path), target, anchor)
        for path, text in texts.items()
        for target, anchor in ANCHORED.findall(text)
        if anchor
        not in known.get((root / path.parent / target).resolve() if target else (root / path).resolve(), set())
    }
    assert broken == set()


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_paths_exist(root: Path, name: str) -> None:
    """A path may begin at one of the bases that the page is about."""
    paths = re.findall(r"`([\w.][\w.-]*(?:/[\w.-]+)+/?)`", (root / name).read_text())
    assert paths
    assert [path for path in paths if not any((root / base / path).exists() for base in BASES)] == []


def test_code_blocks_end_without_a_language(root: Path, files: list[Path]) -> None:
    """With one, the end of a block begins another block, and what follows is shown as code."""
    fences = {path: re.findall(r"^```(.*)$", text, re.MULTILINE) for path, text in documents(root, files).items()}
    assert [path for path, found in fences.items() if any(found[1::2]) or len(found) % 2] == []


def test_lines_are_at_most_100_wide(root: Path, files: list[Path]) -> None:
    """Tables and code excepted. What others publish, and what is generated, is as it is."""
    wide = [
        (path, line)
        for path, text in documents(root, files).items()
        if path.parts[0] not in {"changelogs", "CHANGELOG.md"}
        for line in re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
        if len(line) > 100 and not line.startswith("|") and "](http" not in line
    ]
    assert wide == []


def test_commands_exist(root: Path, files: list[Path]) -> None:
    playbooks = {path.stem for path in (root / "playbooks").glob("*.yml")}
    named = {
        name
        for text in documents(root, files).values()
        for found in PLAYBOOK.finditer(text)
        for name in found.groups()
        if name
    }
    assert named
    assert named - playbooks == set()


def test_targets_of_make_exist(root: Path, files: list[Path]) -> None:
    makefile = (root / "Makefile").read_text()
    rules = re.findall(r"^([a-z -]+):", makefile, re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    targets |= {path.name for path in (root / "tools" / "checks").iterdir()}
    named = {
        name for text in documents(root, files).values() for name in re.findall(r"`(?:sudo )?make ([a-z-]+)", text)
    }
    assert named - targets == set()


def rows(root: Path, section: str) -> dict[str, str]:
    """The first cell and the last of each row of the table in a section of docs/configuration.md."""
    text = (root / "docs" / "configuration.md").read_text()
    return dict(ROW.findall(text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]))


def test_every_variable_of_the_commands_is_listed(root: Path) -> None:
    """Each playbook's first line says what it takes."""
    taken = {
        name
        for path in (root / "playbooks").glob("*.yml")
        for name in re.findall(r"-e (\w+)=", path.read_text().splitlines()[1])
    }
    assert taken >= {"project", "ref", "steps"}
    assert taken - set(rows(root, "Run the commands")) == set()


def test_every_setting_that_is_no_key_is_listed(root: Path) -> None:
    """Those of procmon's role that are not simply taken from the project's."""
    of_project, of_procmon = (
        yaml.safe_load((root / "roles" / role / "defaults" / "main.yml").read_text())
        for role in ("project", "supervisor")
    )
    by_key = {
        f"project_{key}" for key in {*schema.known("project")} - {*host_vars.CONNECTION_KEYS} - host_vars.OTHER_KEYS
    }
    taken_over = {name for name, value in of_procmon.items() if str(value).startswith("{{")}
    expected = {name: value for name, value in {**of_project, **of_procmon}.items() if name not in by_key | taken_over}
    listed = rows(root, "Set other variables")
    assert set(listed) == set(expected)
    literal = {name: value for name, value in expected.items() if "{{" not in str(value)}
    assert {name: yaml.safe_load(listed[name].strip("`")) for name in literal} == literal


def test_every_module_of_procmon_is_in_its_readme(root: Path) -> None:
    """By its path: `core/worker`."""
    procmon = root / "roles/supervisor/files/procmon"
    table = re.findall(r"^\| (`[^|]*`) \|", (procmon / "README.md").read_text(), re.MULTILINE)
    named = [name for cell in table for name in re.findall(r"`([\w/]+)`", cell)]
    source = procmon / "src/procmon"
    modules = [str(path.relative_to(source).with_suffix("")) for path in source.rglob("*.py") if path.name[:2] != "__"]
    assert sorted(named) == sorted(modules)
