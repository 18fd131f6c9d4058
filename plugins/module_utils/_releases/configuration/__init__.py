# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The room `configuration`: procmon's settings and the app's variables, which travel with a release.

text.py         procmon.toml and procmon.env as text, and what differs between two of them: decisions only
store.py        `configs/`, and the links that make a configuration the live one
plan.py         whether a run brings another configuration than the live one
"""
