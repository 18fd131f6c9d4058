# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the app with uvicorn's own means, and telling clearly why it cannot be loaded."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from .failure import WorkerError
from .settings import Settings
from .streams import ending_streams


def make_config(settings: Settings) -> uvicorn.Config:
    """Make uvicorn's configuration, which also sets up logging. Raises WorkerError when uvicorn refuses an option."""
    if not hasattr(uvicorn.Config, "get_loop_factory"):
        found = importlib.metadata.version("uvicorn")
        raise WorkerError("import", f"uvicorn {found} of {sys.executable} is too old; procmon needs 0.36 or newer")
    try:
        return uvicorn.Config(settings.app, **settings.uvicorn)
    except Exception as error:
        raise WorkerError("import", f"[uvicorn] is refused by uvicorn: {type(error).__name__}: {error}") from error


def load(config: uvicorn.Config, app: str) -> None:
    """Import the app and load what serves it. Raises WorkerError with the traceback's tail."""
    config.app = import_app(app)  # uvicorn's own import would log the reason and exit, with nothing left to tell
    try:
        config.load()
    except ImportFromStringError as error:
        raise WorkerError("import", f"[uvicorn] {error}") from error
    except (Exception, SystemExit) as error:
        raise WorkerError.of("import", error) from error
    config.loaded_app = ending_streams(config.loaded_app)


def import_app(app: str) -> Any:  # noqa: ANN401 - whatever the name stands for; uvicorn will tell
    """Import what `module:attribute` names. Raises WorkerError."""
    try:
        return import_from_string(app)
    except ImportFromStringError as error:
        raise WorkerError("import", f"app = {app}: {error} It was looked for in {sys.path[0]}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and names_package_of(app, error.name):
            raise WorkerError("import", f"app = {app}: {error}. It was looked for in {sys.path[0]}") from error
        raise WorkerError.of("import", error) from error


def names_package_of(app: str, missing: str | None) -> bool:
    """Tell whether the module that is missing is the app's own package, not one that the app needs."""
    return missing is not None and app.startswith(missing + ".")
