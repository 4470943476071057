"""Which app is meant and what an account may do with it."""

from __future__ import annotations

from uuid import UUID

from ..core.account import Account
from ..core.app import App
from ..core.errors import Forbidden, NotFound
from ..store.apps import find_app, find_collaborator
from ..store.database import Transaction


async def app_for(tx: Transaction, account: Account, id_or_name: UUID | str, *, as_owner: bool = False) -> App:
    """The app, for someone who may work on it.

    Raises: NotFound when there is none or the account may not know of it; Forbidden when it may see it and not do this.
    """
    app = await find_app(tx, id_or_name)
    if app is not None and app.owner_id == account.id:
        return app
    if app is None or await find_collaborator(tx, app.id, account.id) is None:
        raise NotFound(f"Couldn't find the app `{str(id_or_name)[:60]}`; `senryu apps` lists those you may use.")
    if as_owner:
        raise Forbidden(f"Only the owner of {app.name} may do this; ask them.", app=app.name)
    return app
