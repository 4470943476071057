"""Faults on a real platform. `./test` has them all; `./test --faults` goes more rounds (SENRYU_FAULT_ROUNDS)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from system.marks import mark_all_in
from system.person import App, Person, new_app, registered
from system.rig import Copy, running_copy

from . import apps

NewApp = Callable[..., App]
ROUNDS = int(os.environ.get("SENRYU_FAULT_ROUNDS", "20"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all_in(Path(__file__).parent, items, "faults")


@pytest.fixture(scope="package")
def platform() -> Iterator[Copy]:
    """A platform that is hurt and must mend itself."""
    with running_copy() as copy:
        yield copy


@pytest.fixture(scope="package")
def operator(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The first account."""
    return registered(platform, tmp_path_factory.mktemp("operator") / "home")


@pytest.fixture
def make_app(operator: Person) -> Iterator[NewApp]:
    """Makes and deploys an app of the given manners; it is destroyed after the test."""
    with ExitStack() as stack:

        def make(manners: str = "polite", files: Mapping[str, str] | None = None) -> App:
            app = stack.enter_context(new_app(operator, files or apps.files(manners)))
            app.push()
            return app

        yield make
