# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`deploy`, and `python -m onetouch_deploy`."""

from __future__ import annotations

import sys

from .errors import FAILED, not_installed


def main() -> int:
    """Run the command, and return its exit code."""
    try:
        from .cli import main as command  # noqa: PLC0415  a source tree may be without the packages that it needs

        return command()
    except ModuleNotFoundError as missing:
        print(f"deploy: {not_installed(missing)}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
