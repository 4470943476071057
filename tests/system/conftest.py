"""One real platform for the whole session; apps of it for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from .installed import installed
from .marks import mark_all_in
from .person import App, Person, new_app, registered
from .rig import Copy, running_copy

NewApp = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all_in(Path(__file__).parent, items)


@pytest.fixture(scope="session")
def platform() -> Iterator[Copy]:
    """A complete platform: a copy made for the tests, or the one that is installed where they are run."""
    if found := installed():
        yield found
        return
    # What receives logs and webhooks in tests listens on this machine.
    with running_copy("allow_private_drains = true\nallow_private_webhooks = true\nallow_private_partners = true\n") as copy:
        yield copy


@pytest.fixture(scope="session")
def operator(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The first account."""
    return registered(platform, tmp_path_factory.mktemp("operator") / "home")


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
