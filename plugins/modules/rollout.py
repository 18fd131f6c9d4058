# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Run the module releases on the servers of a project, in their order
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbooks of this collection.
  - Runs M(onetouch.deploy.releases) with the variables C(project_*) of the host as its options, and shows how it ended
    in one line.
  - Within a step, different projects do not wait for each other. The servers of one project get the commit that the
    first one finds, and go live one after the other, or C(at_once) at a time. One that fails stops those after it.
options:
  state:
    description: The state of M(onetouch.deploy.releases).
    type: str
    required: true
    choices: [deployed, reverted]
  step:
    description:
      - With V(prepare) a project on several servers is prepared, and nothing live changes. A project on a single
        server goes live at once.
      - With V(activate) a project on several servers goes live, in turns.
      - Without it this host waits for no other.
    type: str
    choices: [prepare, activate]
attributes:
  check_mode:
    description: That of M(onetouch.deploy.releases).
    support: full
  diff_mode:
    description: That of M(onetouch.deploy.releases).
    support: full
  idempotent:
    description: As far as M(onetouch.deploy.releases) is.
    support: partial
seealso:
  - module: onetouch.deploy.releases
"""

EXAMPLES = r"""
- name: Prepare, and put single servers live
  onetouch.deploy.rollout:
    state: deployed
    step: prepare

- name: Put several servers live
  onetouch.deploy.rollout:
    state: deployed
    step: activate
"""

RETURN = r"""
outcome:
  description:
    - That of M(onetouch.deploy.releases), or how the server ended without its answer.
    - V(not_reached) when its turn did not come, V(unreachable) when it could not be logged in to, V(lost) when the
      connection broke, V(unknown) when the module was killed. All other values are those of
      M(onetouch.deploy.releases).
  type: str
  returned: always
  sample: live
url:
  description: Where people open the app.
  type: str
  returned: when the variable C(project_url) is set
  sample: https://www.example.com
"""
