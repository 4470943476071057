"""Dynos as containers on this machine, run by `senryu-agent`. Needs no privileges itself."""

from __future__ import annotations

from .engine import ContainerEngine

__all__ = ["ContainerEngine"]
