"""What tests of several rooms share."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import pytest_asyncio
import structlog
from argon2 import PasswordHasher
from xdist.scheduler import LoadScopeScheduling

from house import House, house_at
from postgres import served
from senryu.actions import authenticate
from senryu.store.migrate import migrate

# Real hashing takes 50 ms of two cores each time; what it is made of is asserted where it matters.
authenticate._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
authenticate._NOBODY = authenticate._HASHER.hash("nobody")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background; the programs under test would ignore it as well
    signal.signal(signal.SIGINT, signal.default_int_handler)
# No test asserts how long something takes, nor how long it takes to think of an example.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a file stay together, those of the official client all in one process.

    Not by xdist's own groups: what it writes into a test's name is without effect since pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "compat" if "compat/" in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the newest schema, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server at the newest schema."""
    yield from served()


@pytest_asyncio.fixture
async def house(tmp_path: Path, empty_database: Path) -> AsyncIterator[House]:
    """The whole house in memory."""
    async with house_at(tmp_path / "home", empty_database) as built:
        yield built


@pytest.fixture
def new_house(tmp_path: Path, empty_database: Path) -> Callable[[], AbstractAsyncContextManager[House]]:
    """Houses one after the other, each empty."""
    return lambda: house_at(tmp_path / uuid4().hex, empty_database)
