"""The official client against a real platform with a really deployed app."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from authorities.rig import pebble
from system.marks import mark_all_in
from system.person import App, Person, new_app, registered
from system.rig import Copy, running_copy

from .client import Heroku
from .table import REFUSED, UNSUPPORTED, WORKS

_PASSED = "SENRYU_COMPAT_PASSED"  # a file: the tests may run in another process than the one that prints


def pytest_configure(config: pytest.Config) -> None:
    """Before other processes begin, which get it with their environment."""
    if _PASSED not in os.environ:
        os.environ[_PASSED] = tempfile.mkstemp(prefix="senryu-compat-")[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all_in(Path(__file__).parent, items, "compat", "registry")


@pytest.fixture(scope="session")
def platform() -> Iterator[Copy]:
    """A complete platform, gone afterwards. Its certificates come from Let's Encrypt's test server."""
    with ExitStack() as stack:

        def settings(copy: Copy) -> str:
            asked = stack.enter_context(pebble(copy.port)).settings(copy.home)
            return f"{asked}allow_private_drains = true\nallow_private_webhooks = true\nallow_private_partners = true\n"

        yield stack.enter_context(running_copy(settings))


@pytest.fixture(scope="session")
def person(platform: Copy, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The first account."""
    return registered(platform, tmp_path_factory.mktemp("person") / "home", "person@example.com")


@pytest.fixture(scope="session")
def heroku(person: Person) -> Iterator[Heroku]:
    """The client, pointed at the platform by `senryu env`."""
    client = Heroku(person)
    yield client
    with Path(os.environ[_PASSED]).open("a") as file:
        file.writelines(f"{name}\n" for name in sorted(client.passed))


@pytest.fixture(scope="session")
def app(heroku: Heroku) -> Iterator[App]:
    """`examples/python-web`, made and pushed with the official client and git alone."""
    with new_app(heroku.person) as made:
        heroku.app = made
        heroku.run("git:remote", "-a", made.name, says="set git remote heroku")
        made.owner.environment = {**made.owner.environment, **heroku.environment}
        made.git("push", "heroku", "main")
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table: command → pass, fail, or unsupported with the reason."""
    file = Path(os.environ[_PASSED])
    if hasattr(terminalreporter.config, "workerinput") or not file.exists():
        return
    passed = set(file.read_text().split())
    file.unlink()
    if not passed:
        return
    terminalreporter.section("heroku commands")
    for name in sorted({*WORKS, *REFUSED}):
        terminalreporter.write_line(f"{name:28} {'pass' if name in passed else 'FAIL or not run'} {REFUSED.get(name, '')}".rstrip())
    for pattern, why in sorted(UNSUPPORTED.items()):
        terminalreporter.write_line(f"{pattern:28} unsupported: {why}")
