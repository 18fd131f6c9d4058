"""The picture of a deploy in the README: what tools/picture has written of a real one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "deploy.svg"


def test_the_picture_is_in_the_readme_and_loads_nothing_from_elsewhere() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert "(docs/images/deploy.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r'(?:href|src)="(?!#)[^"]*"|@font-face|url\((?!#)', text) == []
    shown = re.sub(r"<[^>]*>", "", text).replace("&#160;", " ")
    assert "3 workers ready" in shown
    assert "is live, " in shown
