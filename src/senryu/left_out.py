"""What libraries import and `senryud` never uses: not loaded, 6 MB of its memory less. Called before anything imports them."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


def leave_out() -> None:
    """uvicorn's command line (with click and multiprocessing), pydantic's former version, and FastAPI's models of OpenAPI documents."""
    _without_command_line()
    _without_former_pydantic()
    _without_documents()


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


class _Nothing:
    """Stands in for any class that is named and never made use of."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


def _without_documents() -> None:
    """Our document is our own (`api.openapi`). FastAPI names its models in signatures and in security schemes that nobody uses here."""
    name = "fastapi.openapi.models"
    if name not in sys.modules:
        stand_in = ModuleType(name)
        stand_in.__dict__["__getattr__"] = _named
        sys.modules[name] = stand_in


def _named(name: str) -> type[_Nothing]:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Nothing
