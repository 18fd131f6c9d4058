# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any error becomes one message with what to do."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError, as_failure


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (ReleaseError("it failed"), "it failed"),
        (ReleaseError("it failed", "do this"), "it failed. Do this"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv"), "/srv: No space left on device. Free some space"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"),
        (OSError("odd"), "odd"),
        (KeyError("x"), "unexpected KeyError: 'x'. Report this as a bug"),
    ],
)
def test_an_error_says_what_failed_and_what_to_do(reason: Exception, message: str) -> None:
    assert str(as_failure(reason)).startswith(message)


def test_an_unforeseen_error_has_its_origin() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        int("1") // int("0")
    assert "test_errors.py" in as_failure(caught.value).detail


def test_an_unforeseen_error_that_was_never_raised_has_no_place() -> None:
    assert as_failure(KeyError("x")).msg == "unexpected KeyError: 'x'"
