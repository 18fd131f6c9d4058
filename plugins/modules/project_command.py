# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: project_command
short_description: Run a command in the live release of a project
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbook C(exec).
  - Runs M(onetouch.deploy.release_command) with the variables C(project_*) of the host as its options, and shows what
    the command wrote.
  - The words of the command are those of the variable C(argv) that was given with C(-e), a list or one text. Templates
    in them are not filled in.
attributes:
  check_mode:
    description: Reports what would be run, and where. Runs nothing.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Depends on the command.
    support: none
seealso:
  - module: onetouch.deploy.release_command
"""

EXAMPLES = r"""
- name: Run it in the live release
  onetouch.deploy.project_command:
"""

RETURN = r"""
rc:
  description: The exit code of the command. All values are those of M(onetouch.deploy.release_command).
  type: int
  returned: when it ran, or could not be started
  sample: 0
stdout:
  description: What it wrote.
  type: str
  returned: when it ran
  sample: "3 migrations applied\n"
stderr:
  description: What it wrote as errors.
  type: str
  returned: when it ran
  sample: ""
"""
