"""Credentials of add-ons beside their own. Configs and passwords are sealed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.database import Credential, CredentialState
from ..core.errors import NotFound
from .add_on_tables import add_on_credentials
from .database import Transaction
from .rows import columns, noun
from .vault import Vault


def _columns(credential: Credential, vault: Vault) -> dict[str, Any]:
    sealed = {"sealed_config": vault.seal(dict(credential.config)), "sealed_password": vault.seal({"password": credential.password})}
    return {**columns(credential, "config", "password"), **sealed}


def _credential(row: Any, vault: Vault) -> Credential:
    password = vault.open(row["sealed_password"])["password"]
    return noun(Credential, row, state=CredentialState(row["state"]), config=vault.open(row["sealed_config"]), password=password)


async def create_credential(tx: Transaction, credential: Credential, *, vault: Vault) -> None:
    """Stores a credential. Raises: Conflict when the add-on has one of that name."""
    await tx.execute(insert(add_on_credentials).values(_columns(credential, vault)))


async def update_credential(tx: Transaction, credential: Credential, *, vault: Vault) -> None:
    """Stores what changed."""
    await tx.execute(update(add_on_credentials).where(add_on_credentials.c.id == credential.id).values(_columns(credential, vault)))


async def delete_credential(tx: Transaction, id: UUID) -> None:
    """Takes the row away."""
    await tx.execute(delete(add_on_credentials).where(add_on_credentials.c.id == id))


async def list_credentials(tx: Transaction, add_on_id: UUID | None = None, *, vault: Vault) -> list[Credential]:
    """Those of an add-on, or all; by name."""
    query = select(add_on_credentials).order_by(add_on_credentials.c.name)
    if add_on_id is not None:
        query = query.where(add_on_credentials.c.add_on_id == add_on_id)
    return [_credential(row, vault) for row in (await tx.execute(query)).mappings()]


async def find_credential(tx: Transaction, add_on_id: UUID, name: str, *, vault: Vault) -> Credential:
    """One beside the default. Raises: NotFound."""
    for credential in await list_credentials(tx, add_on_id, vault=vault):
        if credential.name == name:
            return credential
    raise NotFound(f"Couldn't find the credential {name[:60]}; `pg:credentials` lists those there are.")
