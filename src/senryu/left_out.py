"""What libraries import and `senryud` never uses: not loaded. Called before anything imports them."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def leave_out() -> None:
    """uvicorn's command line, and greenlets in logs."""
    _without_command_line()
    # structlog goes without when there are none, and nobody needs what it has for them: 2 MB. SQLAlchemy takes them for PostgreSQL itself.
    sys.modules.setdefault("structlog._greenlets", None)  # type: ignore[arg-type]


def _without_command_line() -> None:
    """With click and multiprocessing. The package is found without running its `__init__`, which imports it."""
    if "uvicorn" in sys.modules or not (spec := find_spec("uvicorn")):
        return
    sys.modules["uvicorn"] = module_from_spec(spec)
    from uvicorn.config import Config

    sys.modules["uvicorn"].__dict__["Config"] = Config  # which its other modules take from there
