#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: releases_info
short_description: Return what is live of a project on a server
version_added: 0.1.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Returns which commit of a project is live, since when, what was live before, and what is not as it should be.
  - Changes nothing. Uses the network only with O(fetch=true).
options:
  name:
    description: The name of the project, for messages.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  status_file:
    description: The status file of C(procmon). Without it the project has no C(procmon).
    type: path
  ref:
    description: The branch, tag or sha that RV(behind) compares with; without it the newest tag.
    type: str
  config:
    description: The settings of C(procmon) that the project should have, as in M(onetouch.deploy.releases). RV(notes)
      names those that are not live.
    type: dict
  writable_paths:
    description: The paths that the app may write to outside of O(path). RV(notes) names them where the unit of
      C(procmon) has others.
    type: list
    elements: str
  fetch:
    description: Fetch into the clone first, so that RV(behind) is true of the remote as it is now.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: There is nothing to show.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target systems that are supported.
requirements:
  - git 2.30 or newer
  - Python 3.9 or newer
seealso:
  - module: onetouch.deploy.releases
"""

EXAMPLES = r"""
- name: Ask what is live
  onetouch.deploy.releases_info:
    name: blog
    path: /var/www/blog
    ref: origin/master
    status_file: /run/procmon/blog/status.json
  register: blog

- name: Show it
  ansible.builtin.debug:
    msg: "{{ blog.commit }} {{ blog.subject }}, {{ blog.behind }} behind"
"""

RETURN = r"""
commit:
  description: The full sha that is live. Null when nothing is.
  returned: success
  type: str
  sample: 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708
subject:
  description: The first line of the live commit's message.
  returned: success
  type: str
  sample: Greet in French
live_since:
  description:
    - When the live commit went live (UTC), by the journal, or by the log where the original script has deployed.
    - Null when neither shows it.
  returned: success
  type: str
  sample: "2026-11-23T15:28:49Z"
live_seconds:
  description: How many seconds ago that was, by the server's clock.
  returned: success
  type: int
  sample: 86400
release:
  description: The directory that C(current) stands for.
  returned: success
  type: str
  sample: /var/www/blog/releases/1f0c9a2be6f3
releases:
  description: The names of the releases on disk.
  returned: success
  type: list
  elements: str
  sample: [0a1b2c3d4e5f, 1f0c9a2be6f3]
history:
  description: The commits of the log, oldest first, as short as they stand there.
  returned: success
  type: list
  elements: str
  sample: [0a1b2c3, 1f0c9a2]
journal:
  description: The last twenty attempts, oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - time: "2026-11-23T15:28:49Z"
      by: tj
      action: deploy
      ref: origin/master
      commit: 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708
      from: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
      outcome: live
locked_by:
  description: Who holds the lock now. Null when it is free.
  returned: success
  type: dict
  sample: {"by": "tj", "doing": "deploy origin/master", "since": "2026-11-23T15:28:49Z", "pid": 812}
interrupted:
  description: The run that was interrupted and has not been recovered yet. Null when there is none.
  returned: success
  type: dict
  sample: {"by": "tj", "started": "2026-11-23T15:28:49Z", "commit": 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708}
behind:
  description: How many commits of O(ref), as fetched last, are not live. Null when that is not known.
  returned: success
  type: int
  sample: 2
ref_problem:
  description: Why a deploy would find no commit with O(ref), by what was fetched last. Empty where it would find one,
    and where one is live.
  returned: success
  type: str
  sample: ""
drift:
  description: Where C(current), the log and the clone disagree.
  returned: success
  type: list
  elements: str
  sample: ["the log ends with 0a1b2c3d4e5f, live is 1f0c9a2be6f3"]
procmon:
  description: The status of C(procmon). Its C(state) is V(not running) when there is no such process. Null
    without O(status_file).
  returned: success
  type: dict
  sample: {"state": "serving", "generation": 3, "workers": []}
waiting_settings:
  description:
    - The settings of O(config) that are not live. Empty without O(config), or where it is not known.
    - V(environment) where the live release has lost its Python, which the next deploy brings back.
  returned: success
  type: list
  elements: str
  sample: [workers]
waiting_for_setup:
  description: Those of them that only setup can change.
  returned: success
  type: list
  elements: str
  sample: [bind]
notes:
  description:
    - What a person who looks at this project should know, in a few words each.
    - While RV(locked_by) is set, its sentence is the only one.
  returned: success
  type: list
  elements: str
  sample: ["2 behind"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.question import argument_spec, ask


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    try:
        module.exit_json(changed=False, **ask(module.params))
    except ReleaseError as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")


if __name__ == "__main__":
    main()
