# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that the tests make themselves."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Traits:
    """What a package has beside a name: the Python that it requires, what it was built for, further code."""

    python: str = ">=3"
    tag: str = "py3-none-any"
    code: str = ""


def make_wheel(directory: Path, name: str, version: str, ballast: int = 0, traits: Traits = Traits()) -> None:
    """Write the smallest package that installs: one module that knows its version; and so many bytes of ballast."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {traits.python}\n"
    with zipfile.ZipFile(directory / f"{name}-{version}-{traits.tag}.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n{traits.code}")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {traits.tag}\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
        if ballast:
            wheel.writestr(f"{name}_data.bin", os.urandom(ballast))


def make_sdist(directory: Path, name: str, version: str, built_by: str) -> None:
    """Write a package that has to be built, by another one."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": f'[build-system]\nrequires = ["{built_by}"]\nbuild-backend = "{built_by}"\n',
    }
    with tarfile.open(directory / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
