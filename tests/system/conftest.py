"""One real platform for the whole session; apps of it for each test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from .person import App, Person, new_app
from .rig import Copy

NewApp = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: real containers, networks and users"))


@pytest.fixture(scope="session")
def platform() -> Iterator[Copy]:
    """A complete platform. Leaving, it must leave nothing behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a session that is told to go clears up as one that is interrupted
    copy = Copy()
    left: set[str] = {"unknown"}
    try:
        copy.install()
        copy.start()
        yield copy
    finally:
        left = copy.remove()
    assert not left, f"the platform left behind: {left}"


@pytest.fixture(scope="session")
def operator(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The first account."""
    person = Person(platform, tmp_path_factory.mktemp("operator") / "home", "operator@example.com")
    person.register()
    return person


@pytest.fixture
def make_app(operator: Person) -> Iterator[NewApp]:
    """Makes apps that are destroyed after the test."""
    with ExitStack() as stack:

        def make(files: Mapping[str, str] | str = "python-web", *words: str) -> App:
            return stack.enter_context(new_app(operator, files, *words))

        yield make


@pytest.fixture
def app(make_app: NewApp) -> App:
    """`examples/python-web`, deployed."""
    made = make_app()
    made.push()
    return made


@pytest.fixture(scope="module")
def shared_app(operator: Person) -> Iterator[App]:
    """`examples/python-web`, deployed once for a file's tests that change nothing of it."""
    with new_app(operator) as made:
        made.push()
        yield made
