"""What store functions run their statements on: SQLite's and PostgreSQL's connections both are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVarTuple, overload

from ..core.errors import PlatformError, Unavailable

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Dialect, Executable
    from sqlalchemy.sql.selectable import TypedReturnsRows

SILENT = "The platform's database does not answer; try again in a moment."

Columns = TypeVarTuple("Columns")


class Transaction(Protocol):
    """An open transaction. What it reads does not change under it. `info` is for notes of the store's own."""

    @property
    def info(self) -> dict[Any, Any]: ...

    @property
    def dialect(self) -> Dialect: ...

    @overload
    async def execute(self, statement: TypedReturnsRows[*Columns], parameters: Any = None) -> CursorResult[*Columns]: ...

    @overload
    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[*tuple[Any, ...]]: ...

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Runs one statement; its rows are read before the transaction ends."""


def silent() -> PlatformError:
    """What is raised while there is no connection to be had."""
    return Unavailable(SILENT)
