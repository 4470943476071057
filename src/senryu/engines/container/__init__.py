"""Dynos as containers on this machine, run by `senryu-agent`. Needs no privileges itself."""

from __future__ import annotations

from .archive_programs import ContainerArchivePrograms
from .engine import ContainerEngine
from .history import ContainerHistory

__all__ = ["ContainerArchivePrograms", "ContainerEngine", "ContainerHistory"]
