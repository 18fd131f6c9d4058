"""ansible-builder reads what the collection needs in an image, and the definition in the documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

BUILDER = Path(sys.executable).with_name("ansible-builder")


def builder(*arguments: str, cwd: Path) -> str:
    """Run ansible-builder and return what it prints."""
    argv = [str(BUILDER), *arguments]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_packages_that_the_collection_needs_are_found(root: Path, tmp_path: Path) -> None:
    found = yaml.safe_load(builder("introspect", str(root / "collections"), cwd=tmp_path))
    packages = {line.split()[0] for line in found["system"]}
    assert packages == {"git", "openssh-client", "openssh-clients"}
    assert not found["python"], "ansible-core has what is needed"


def test_the_definition_in_the_documents_makes_a_context(root: Path, tmp_path: Path) -> None:
    """An image needs a registry; the context is all that ansible-builder does before."""
    text = (root / "docs" / "execution-environments.md").read_text()
    (definition,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "execution-environment.yml").write_text(definition)
    builder("create", cwd=tmp_path)
    assert "FROM $EE_BASE_IMAGE" in (tmp_path / "context/Containerfile").read_text()
    galaxy = yaml.safe_load((tmp_path / "context/_build/requirements.yml").read_text())
    assert [one["name"] if isinstance(one, dict) else one for one in galaxy["collections"]] == ["onetouch.deploy"]
