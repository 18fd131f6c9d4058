# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a configuration file to inventory hosts, in steps that each know the one before only.

    yaml_reader, deploy_conf_reader   text -> Source (section.py): sections with the line of each key; checks no values
    schema, values                    which keys there are, and which values they accept
    validation                        Section -> problems of this section alone
    placement                         Source -> placements (project x server), or ProjectsError with all problems
    host_vars                         placements -> hosts, variables and groups of the inventory

`file` reads the text by Ansible's loader; all else is pure. Problems are collected (`errors`), so that one run reports
all of them. Private to this collection: may change in any release.
"""
