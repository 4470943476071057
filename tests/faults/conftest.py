"""Faults on a real platform. Short ones run with every `./test`; drills, which take minutes, with `./test --faults`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from system.person import App, Person, new_app
from system.rig import Copy

from . import apps

NewApp = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.system)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: real containers, networks and users"))


@pytest.fixture(scope="module")
def platform() -> Iterator[Copy]:
    """A platform for one file's faults. Leaving, it must leave nothing behind."""
    copy = Copy()
    left: set[str] = {"unknown"}
    try:
        copy.install()
        copy.start()
        yield copy
    finally:
        left = copy.remove()
    assert not left, f"the platform left behind: {left}"


@pytest.fixture(scope="module")
def operator(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The first account."""
    person = Person(platform, tmp_path_factory.mktemp("operator") / "home", "operator@example.com")
    person.register()
    return person


@pytest.fixture
def make_app(operator: Person) -> Iterator[NewApp]:
    """Makes and deploys an app of the given manners; it is destroyed after the test."""
    with ExitStack() as stack:

        def make(manners: str = "polite", files: Mapping[str, str] | None = None) -> App:
            app = stack.enter_context(new_app(operator, files or apps.files(manners)))
            app.push()
            return app

        yield make
