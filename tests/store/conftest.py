"""Both databases: an SQLite file, and a PostgreSQL of the test's own (marker `postgres`)."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from postgres import emptied
from senryu.core.account import Account
from senryu.core.app import App
from senryu.core.release import Release, ReleaseStatus
from senryu.core.slug import Slug
from senryu.store.accounts import create_account
from senryu.store.apps import create_app
from senryu.store.builds import create_slug
from senryu.store.database import Database
from senryu.store.vault import Vault

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def db(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> AsyncIterator[Database]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        shutil.copyfile(empty_database, tmp_path / "senryu.db")
        database = Database(f"sqlite:///{tmp_path}/senryu.db")
    else:
        database = Database(request.getfixturevalue("postgres_url"))
        await emptied(database)
    yield database
    await database.close()


@pytest.fixture
def vault() -> Vault:
    return Vault([b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="])


@dataclass(frozen=True)
class Rows:
    """What most tests need to be there."""

    account: Account
    app: App
    slug: Slug

    def release(self, config: dict[str, str] | None = None, *, status: ReleaseStatus = ReleaseStatus.SUCCEEDED) -> Release:
        """A release that could be appended."""
        return Release(
            id=uuid4(),
            app_id=self.app.id,
            version=0,
            status=status,
            description="Deploy",
            user_id=self.account.id,
            config_vars=config or {},
            process_types={"web": "serve"},
            slug_id=self.slug.id,
            slug_checksum=self.slug.checksum,
            stack="host",
            brings_code=True,
            created_at=NOW,
            updated_at=NOW,
        )


def account(email: str = "a@example.com", id: UUID | None = None) -> Account:
    return Account(id or uuid4(), email, "Ünï", "hash", False, NOW, NOW, NOW)


def app(owner: Account, name: str = "an-app") -> App:
    return App(uuid4(), name, owner.id, "host", "host", False, NOW, NOW, NOW, 2**40, None, "Python")


@pytest_asyncio.fixture
async def rows(db: Database) -> Rows:
    """An account, an app and a slug, stored."""
    owner = account()
    made = app(owner)
    slug = Slug(uuid4(), made.id, "a" * 64, 2**40, {"web": "serve"}, "host", NOW, "cafe", "words", "Python", ("heroku/python",))
    async with db.transaction() as tx:
        await create_account(tx, owner)
        await create_app(tx, made)
        await create_slug(tx, slug)
    return Rows(owner, made, slug)
