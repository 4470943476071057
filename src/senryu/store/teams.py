"""Teams and who is in them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from ..core.team import Role, Team, TeamMember
from .database import Transaction
from .rows import columns, noun
from .tables import team_members, teams


async def create_team(tx: Transaction, team: Team) -> None:
    """Stores a new team. Raises: Conflict when the name is taken."""
    await tx.execute(insert(teams).values(columns(team)))


async def find_team(tx: Transaction, id_or_name: UUID | str) -> Team | None:
    """The team with an id or a name; an id may be given as text."""
    if isinstance(id_or_name, str):
        if "\0" in id_or_name:
            return None  # PostgreSQL refuses even to be asked
        try:
            id_or_name = UUID(id_or_name)
        except ValueError:
            pass
    wanted = teams.c.id == id_or_name if isinstance(id_or_name, UUID) else teams.c.name == id_or_name
    row = (await tx.execute(select(teams).where(wanted))).mappings().first()
    return noun(Team, row) if row else None


async def lock_team(tx: Transaction, id: UUID) -> Team | None:
    """The team, with every other change of it waiting until this transaction ends."""
    row = (await tx.execute(select(teams).where(teams.c.id == id).with_for_update())).mappings().first()
    return noun(Team, row) if row else None


async def find_teams(tx: Transaction, ids: set[UUID]) -> dict[UUID, Team]:
    """Teams by id."""
    rows = (await tx.execute(select(teams).where(teams.c.id.in_(ids)))).mappings()
    return {row["id"]: noun(Team, row) for row in rows}


async def update_team(tx: Transaction, team: Team) -> None:
    """Stores what changed of a team. Raises: Conflict when a new name is taken."""
    await tx.execute(update(teams).where(teams.c.id == team.id).values(columns(team, "id", "created_at")))


async def delete_team(tx: Transaction, id: UUID) -> None:
    """The team and its members' places."""
    await tx.execute(delete(teams).where(teams.c.id == id))


async def list_memberships(tx: Transaction, account_id: UUID) -> list[TeamMember]:
    """An account's places in teams, oldest first."""
    query = select(team_members).where(team_members.c.account_id == account_id).order_by(team_members.c.created_at)
    return [noun(TeamMember, row, role=Role(row["role"])) for row in (await tx.execute(query)).mappings()]


async def count_memberships(tx: Transaction, account_id: UUID) -> int:
    """In how many teams an account is."""
    query = select(func.count()).select_from(team_members).where(team_members.c.account_id == account_id)
    return (await tx.execute(query)).scalar_one()


async def list_members(tx: Transaction, team_id: UUID) -> list[TeamMember]:
    """A team's members, longest first."""
    query = select(team_members).where(team_members.c.team_id == team_id).order_by(team_members.c.created_at, team_members.c.id)
    return [noun(TeamMember, row, role=Role(row["role"])) for row in (await tx.execute(query)).mappings()]


async def find_member(tx: Transaction, team_id: UUID, account_id: UUID) -> TeamMember | None:
    """An account's place in a team."""
    wanted = (team_members.c.team_id == team_id) & (team_members.c.account_id == account_id)
    row = (await tx.execute(select(team_members).where(wanted))).mappings().first()
    return noun(TeamMember, row, role=Role(row["role"])) if row else None


async def add_member(tx: Transaction, member: TeamMember) -> None:
    """Stores a new place. Raises: Conflict when the account has one."""
    await tx.execute(insert(team_members).values(columns(member)))


async def update_member(tx: Transaction, member: TeamMember) -> None:
    """Stores a changed role."""
    values = {"role": member.role.value, "updated_at": member.updated_at}
    await tx.execute(update(team_members).where(team_members.c.id == member.id).values(values))


async def remove_member(tx: Transaction, id: UUID) -> None:
    """Takes a place away."""
    await tx.execute(delete(team_members).where(team_members.c.id == id))
