"""Marks for every test of a folder that needs a real platform."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def mark_all_in(folder: Path, items: Sequence[pytest.Item], *marks: str) -> None:
    """Gives the tests below `folder` the marks, and `system`; without root they are skipped."""
    for item in items:
        if folder not in item.path.parents:
            continue
        for mark in (*marks, "system"):
            item.add_marker(getattr(pytest.mark, mark))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: real containers, networks and users"))
