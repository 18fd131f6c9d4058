# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's fixtures."""

from __future__ import annotations

from tests.support.releases.fixtures import _own_git_settings, procmon, site, upstream

__all__ = ["_own_git_settings", "procmon", "site", "upstream"]
