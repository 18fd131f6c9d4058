# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: project_status
short_description: Run the module releases_info with the variables of a host
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbooks of this collection.
  - Runs M(onetouch.deploy.releases_info) with the variables C(project_*) of the host as its options.
  - A server that cannot be reached, and a project that cannot be read, do not fail unless O(required). Their reason is
    in RV(msg).
options:
  by_server:
    description:
      - Ask for all projects that log in alike in one remote execution per server, by
        M(onetouch.deploy.server_releases_info).
      - All hosts of the play must run the task.
    type: bool
    default: false
    version_added: 0.2.0
  required:
    description:
      - Fail where the project cannot be read. A server that cannot be reached counts as unreachable.
    type: bool
    default: false
    version_added: 0.2.0
attributes:
  check_mode:
    description: Changes nothing, so that check mode is like any other.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - module: onetouch.deploy.releases_info
  - module: onetouch.deploy.server_releases_info
"""

EXAMPLES = r"""
- name: Ask what is live
  onetouch.deploy.project_status:
  register: project_status
"""

RETURN = r"""
url:
  description: Where people open the app.
  type: str
  returned: when the variable C(project_url) is set
  sample: https://www.example.com
msg:
  description: Why there is no answer. All other values are those of M(onetouch.deploy.releases_info).
  type: str
  returned: failure
  sample: "blog: /var/www/blog cannot be read"
"""
