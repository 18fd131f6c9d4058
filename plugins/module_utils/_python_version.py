# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Which Python runs a module. Read by every package of module_utils first: what else they import needs a newer one.

This file itself is for any Python that can run a module of Ansible.
"""

from __future__ import annotations

import json
import sys

MINIMUM = (3, 9)


def require() -> None:
    """End the module with a message that says what is needed, where its Python is too old."""
    if sys.version_info[:2] >= MINIMUM:
        return
    found, needed = (".".join(map(str, version[:2])) for version in (sys.version_info, MINIMUM))
    message = f"{sys.executable} is Python {found}, but this module needs Python {needed} or newer. "
    advice = "Install one on the server, and set `python` (ansible_python_interpreter) to it"
    # As a module fails: AnsibleModule itself may need a newer Python by now.
    sys.stdout.write(json.dumps({"failed": True, "msg": message + advice}))
    raise SystemExit(1)
