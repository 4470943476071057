"""What libraries import and `senryud` never uses: not loaded. Called before anything imports them."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def leave_out() -> None:
    """uvicorn's command line, with click and multiprocessing: the package is found without running its `__init__`, which imports it."""
    if "uvicorn" in sys.modules or not (spec := find_spec("uvicorn")):
        return
    sys.modules["uvicorn"] = module_from_spec(spec)
    from uvicorn.config import Config

    sys.modules["uvicorn"].__dict__["Config"] = Config  # which its other modules take from there
