# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook as this process, run with `python -m`: Ctrl-C ends it with one code, while it starts as well.

Ansible's own program shows a traceback when Ctrl-C comes while it is being imported, and ends with 99 later.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from .errors import INTERRUPTED

NOTHING_DONE = "Interrupted before anything was done."
# Of ansible-playbook.
ANSIBLES_OWN = 99


def main() -> NoReturn:
    """Run ansible-playbook with the arguments of this process, and end with its exit code."""
    sys.argv[0] = "ansible-playbook"
    try:
        from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415  the slow part

        ansible_playbook()  # type: ignore[no-untyped-call]  # Ansible ships few types
    except KeyboardInterrupt:
        # Once it has been imported, Ansible handles Ctrl-C itself.
        print(NOTHING_DONE, file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        sys.exit(INTERRUPTED if end.code == ANSIBLES_OWN else end.code)
    sys.exit(0)


if __name__ == "__main__":
    main()
