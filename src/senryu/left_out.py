"""What libraries import and `senryud` never uses: not loaded, 3 MB of its memory less. Called before anything imports them."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def leave_out() -> None:
    """uvicorn's command line (with click and multiprocessing) and pydantic's former version."""
    _without_command_line()
    _without_former_pydantic()


def _without_command_line() -> None:
    """The package is found without running its `__init__`, which imports its command line."""
    if "uvicorn" in sys.modules or not (spec := find_spec("uvicorn")):
        return
    sys.modules["uvicorn"] = module_from_spec(spec)
    from uvicorn.config import Config

    sys.modules["uvicorn"].__dict__["Config"] = Config  # which its other modules take from there


def _without_former_pydantic() -> None:
    """FastAPI imports all of it to refuse models made with it, and needs their base class for that."""
    if "pydantic.v1" not in sys.modules:
        stand_in = ModuleType("pydantic.v1")
        stand_in.__dict__["BaseModel"] = type("BaseModel", (), {})
        sys.modules["pydantic.v1"] = stand_in
