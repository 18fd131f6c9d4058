# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restart
short_description: Replace the workers of a project by new ones
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbooks of this collection.
  - Asks C(procmon) on the host to reload, waits until the new workers serve, and shows in one line what serves then.
    No request is lost.
  - The servers of one project are restarted one after the other, or C(at_once) at a time. One that fails stops those
    after it.
  - Does nothing for a project without C(app).
attributes:
  check_mode:
    description: Changes nothing, and reports nothing.
    support: none
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Each run replaces the workers.
    support: none
"""

EXAMPLES = r"""
- name: Restart the workers
  onetouch.deploy.restart:
"""

RETURN = r"""
url:
  description: Where people open the app.
  type: str
  returned: when the variable C(project_url) is set
  sample: https://www.example.com
msg:
  description: One sentence on what serves.
  type: str
  returned: success
  sample: "blog@web1: restarted in 0.62 s: generation 5 serves 0123456789ab, 2 workers active"
workers:
  description: How many workers serve.
  type: int
  returned: when procmon has answered
  sample: 2
waits_for_setup:
  description: What setup has to change before it serves.
  type: str
  returned: when the address is another one than the configured
  sample: bind (127.0.0.1:3001 serves, 127.0.0.1:3002 is configured)
commit:
  description: The commit that serves.
  type: str
  returned: when procmon knows it
  sample: 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708
"""
