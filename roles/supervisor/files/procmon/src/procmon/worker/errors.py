# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures that a worker reports to its master: the stage that failed, and the part of the traceback that helps."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

TAIL_CHARACTERS = 8000  # a datagram holds far more; a status file should not
FRAMEWORK_PACKAGES = ("uvicorn", "importlib", "asyncio")


class WorkerError(Exception):
    """The worker exits with code 1; `stage` is `import`, `lifespan` or `serve`, `error` the text to show."""

    def __init__(self, stage: str, error: str) -> None:
        super().__init__(error)
        self.stage = stage
        self.error = error[-TAIL_CHARACTERS:]

    @classmethod
    def of(cls, stage: str, error: BaseException) -> WorkerError:
        """Return a failure that shows an exception with its traceback, starting at the app's first frame.

        An import or syntax error names its place itself: without a frame of the app, no frame is shown. For any other
        exception without one, all frames are shown, since it was raised by procmon or uvicorn.
        """
        frames = skip_framework(error.__traceback__)
        if frames is None and not isinstance(error, (ImportError, SyntaxError)):
            frames = error.__traceback__
        return cls(stage, "".join(traceback.format_exception(type(error), error, frames)).rstrip())


def skip_framework(frames: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames above the app's first one; None when the app has no frame."""
    while frames is not None and is_framework(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def is_framework(filename: str) -> bool:
    """Return whether a frame's file belongs to this package, to uvicorn or to the import system."""
    if filename.startswith("<frozen importlib"):
        return True
    parent = Path(filename).parent
    return parent == Path(__file__).parent or parent.name in FRAMEWORK_PACKAGES
