# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Python environments, keyed by what they contain.

spec.py             which environment a release asks for      <- requirements.py, toml.py
unread.py           requirements in forms that are not installed
build.py            the environments of a project: found by their key, or built; linked, pruned
installer.py        makes one environment by uv or pip        <- commands.py, hints.py (what to do about a failure)
index.py            where packages come from, when a project names its index
server_settings.py  what pip and uv are set to on the server: what is honoured, what is set aside
interpreter.py      the Python that environments are made of  <- python_version.py
"""
