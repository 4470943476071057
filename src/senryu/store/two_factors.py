"""Second factors and recovery codes; seeds are sealed, codes hashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from ..core.two_factor import TwoFactor
from .account_tables import recovery_codes, two_factors
from .database import Transaction
from .rows import columns, noun
from .vault import Vault


async def set_two_factor(tx: Transaction, factor: TwoFactor, *, vault: Vault) -> None:
    """Stores a factor in place of the one the account had."""
    await tx.execute(delete(two_factors).where(two_factors.c.account_id == factor.account_id))
    await tx.execute(insert(two_factors).values({**columns(factor, "seed"), "sealed_seed": vault.seal({"seed": factor.seed})}))


async def find_two_factor(tx: Transaction, account_id: UUID, *, vault: Vault) -> TwoFactor | None:
    """An account's factor, enabled or only begun."""
    row: Any = (await tx.execute(select(two_factors).where(two_factors.c.account_id == account_id))).mappings().first()
    return noun(TwoFactor, row, seed=vault.open(row["sealed_seed"])["seed"]) if row else None


async def accounts_with_two_factor(tx: Transaction, ids: set[UUID]) -> set[UUID]:
    """Which of some accounts have an enabled factor."""
    query = select(two_factors.c.account_id).where(two_factors.c.account_id.in_(ids), two_factors.c.is_enabled.is_(True))
    return set((await tx.execute(query)).scalars())


async def use_step(tx: Transaction, account_id: UUID, step: int) -> bool:
    """Notes that the code of a half minute is used; False when it, or a later one, was used already."""
    wanted = (two_factors.c.account_id == account_id) & (two_factors.c.last_step < step)
    return (await tx.execute(update(two_factors).where(wanted).values(last_step=step))).rowcount > 0


async def delete_two_factor(tx: Transaction, account_id: UUID) -> None:
    """Takes the factor and its recovery codes away."""
    await tx.execute(delete(two_factors).where(two_factors.c.account_id == account_id))
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))


async def set_recovery_codes(tx: Transaction, account_id: UUID, hashes: Sequence[str]) -> None:
    """Stores codes in place of those there were."""
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    await tx.execute(insert(recovery_codes), [{"account_id": account_id, "code_hash": each} for each in hashes])


async def use_recovery_code(tx: Transaction, account_id: UUID, code_hash: str) -> bool:
    """Uses a code up; whether there was one."""
    wanted = (recovery_codes.c.account_id == account_id) & (recovery_codes.c.code_hash == code_hash)
    return (await tx.execute(delete(recovery_codes).where(wanted))).rowcount > 0


async def count_recovery_codes(tx: Transaction, account_id: UUID) -> int:
    """How many are left."""
    query = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.account_id == account_id)
    return (await tx.execute(query)).scalar_one()
