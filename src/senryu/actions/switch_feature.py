"""Switching a feature of an app."""

from __future__ import annotations

from ..core.app import App
from ..core.errors import Conflict, NotFound
from ..core.feature import Feature
from ..store.apps import lock_app
from ..store.database import Database, Transaction
from ..store.features import switch, switched_off


async def switch_feature(app: App, feature: Feature, *, is_on: bool, db: Database) -> frozenset[str]:
    """Gives what of the app's is off then. Raises: NotFound when the app is gone."""
    async with db.transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound("Couldn't find that app.")
        await switch(tx, app.id, feature.name, is_on=is_on)
        return await switched_off(tx, app.id)


async def needs_feature(tx: Transaction, app: App, name: str) -> None:
    """Raises: Conflict when it is switched off."""
    if name in await switched_off(tx, app.id):
        raise Conflict(f"{name} is switched off for {app.name}; switch it on with `features:enable {name}`.", app=app.name)
