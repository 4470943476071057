"""One platform for the whole course, as `./quickstart` leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.marks import mark_all_in
from system.person import Person, registered
from system.rig import Copy, running_copy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all_in(Path(__file__).parent, items, "postgres")


@pytest.fixture(scope="module")
def platform() -> Iterator[Copy]:
    """A complete platform, gone afterwards."""
    with running_copy() as copy:
        yield copy


@pytest.fixture(scope="module")
def operator(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Whoever ran `./quickstart`."""
    return registered(platform, tmp_path_factory.mktemp("operator") / "home")
