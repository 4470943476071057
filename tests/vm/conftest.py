"""A tier of its own: `./test --vm`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .root import installed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.vm)


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    """A Debian with the platform installed as the manual says; the machines' disks are made of it."""
    folder = Path(tempfile.mkdtemp(prefix="senryu-root-", dir="/var/tmp"))
    try:
        installed(folder / "root")
        yield folder / "root"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
