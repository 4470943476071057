"""Accounts, invitations and the operator's choice of who may register."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import delete, func, insert, select, text, update

from ..core.account import Account
from .database import Transaction
from .rows import columns, noun
from .tables import accounts, invitations, settings


async def create_account(tx: Transaction, account: Account) -> None:
    """Stores a new account. Raises: Conflict when the address is taken."""
    await tx.execute(insert(accounts).values(columns(account)))


async def find_account(tx: Transaction, id_or_email: UUID | str) -> Account | None:
    """The account with an id or (lower-case) address."""
    if isinstance(id_or_email, str) and "\0" in id_or_email:
        return None  # PostgreSQL refuses even to be asked
    wanted = accounts.c.id == id_or_email if isinstance(id_or_email, UUID) else accounts.c.email == id_or_email.lower()
    row = (await tx.execute(select(accounts).where(wanted))).mappings().first()
    return noun(Account, row) if row else None


async def find_accounts(tx: Transaction, ids: set[UUID]) -> dict[UUID, Account]:
    """Accounts by id."""
    rows = (await tx.execute(select(accounts).where(accounts.c.id.in_(ids)))).mappings()
    return {row["id"]: noun(Account, row) for row in rows}


async def count_accounts(tx: Transaction) -> int:
    """How many accounts there are."""
    return (await tx.execute(select(func.count()).select_from(accounts))).scalar_one()


async def lock_accounts(tx: Transaction) -> None:
    """Nobody else makes an account until this transaction ends: there is one first account."""
    if tx.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        await tx.execute(text("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"))


async def update_account(tx: Transaction, account: Account) -> None:
    """Stores what changed of an account."""
    await tx.execute(update(accounts).where(accounts.c.id == account.id).values(columns(account, "id", "created_at")))


async def is_registration_open(tx: Transaction) -> bool:
    """Whether the operator lets anyone register."""
    row = (await tx.execute(select(settings.c.content).where(settings.c.name == "registration"))).scalar()
    return bool(row and row.get("open"))


async def set_registration_open(tx: Transaction, is_open: bool) -> None:
    """Opens or closes registration."""
    await tx.execute(delete(settings).where(settings.c.name == "registration"))
    await tx.execute(insert(settings).values(name="registration", content={"open": is_open}))


async def invite(tx: Transaction, email: str, token_hash: str, now: datetime) -> None:
    """Notes that an address may register with a token, in place of an older invitation."""
    await tx.execute(delete(invitations).where(invitations.c.email == email))
    await tx.execute(insert(invitations).values(id=uuid4(), email=email, token_hash=token_hash, created_at=now, updated_at=now))


async def take_invitation(tx: Transaction, email: str, token_hash: str) -> bool:
    """Uses an invitation up; whether there was one."""
    wanted = (invitations.c.email == email) & (invitations.c.token_hash == token_hash)
    return (await tx.execute(delete(invitations).where(wanted))).rowcount > 0
