"""Archives of pg_dump: the programs that make and read them, as a contract, and which of an archive's entries a tenant can restore.

Source: PostgreSQL documentation, pg_dump, pg_restore (`--list`, `--use-list`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

_ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<what>.+)$")
# What a new database has already, and belongs to the platform: the tenant's role may neither make nor change it.
_GIVEN = (
    "SCHEMA - public ",
    "SCHEMA - heroku_ext ",
    "SCHEMA - _heroku ",
    "COMMENT - SCHEMA public ",
    "COMMENT - SCHEMA heroku_ext ",
    "EXTENSION - plpgsql ",
    "EXTENSION - pg_stat_statements ",
    "COMMENT - EXTENSION plpgsql ",
    "COMMENT - EXTENSION pg_stat_statements ",
)
_NEVER = ("SUBSCRIPTION ", "EVENT TRIGGER ", "DATABASE ", "PROCACT_SCHEMA ")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database and whom to connect as. An empty `host` is the machine's own server; `address` pins what `host` was found to be.

    `rewound` names a server of an earlier moment beside the machine's own.
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    address: str = ""
    must_encrypt: bool = False
    rewound: UUID | None = None


class ArchivePrograms(Protocol):
    """pg_dump and pg_restore, each in a sandbox with nothing but its connection. Leaving a call early ends the program.

    Each raises: Invalid with the program's last words when it fails, Unavailable when it cannot be run.
    """

    def dump(
        self, source: DatabaseAddress, extensions: Sequence[str] | None, said: Callable[[Sequence[str]], None]
    ) -> AsyncIterator[bytes]:
        """An archive in custom format, in chunks. `extensions` are those that are part of it; None is all."""

    async def entries(self, archive: AsyncIterator[bytes]) -> str:
        """The archive's table of contents, as `pg_restore --list` prints it."""

    async def restore(
        self, target: DatabaseAddress, archive: AsyncIterator[bytes], entries: str, said: Callable[[Sequence[str]], None], *, clean: bool
    ) -> int:
        """Restores the `entries` of an archive (all, when empty); gives how many statements failed. `clean` drops what is there first."""


NO_HISTORY = "The databases of this platform are on a server of its owner's, who alone has what they were; use --fork for a copy as of now."


class Movable(Protocol):
    """A supplier of databases whose content can be taken out and replaced as a whole."""

    async def address(self, url: str) -> DatabaseAddress:
        """How the platform's programs reach the database of a config var. Raises: Invalid, Unavailable."""

    async def measured(self, id: UUID) -> tuple[int, Sequence[str]]:
        """Its bytes, and the extensions that a backup has. Raises: Unavailable."""

    async def make_room(self, id: UUID, transfer_id: UUID, address: DatabaseAddress, extensions: Sequence[str]) -> DatabaseAddress:
        """An empty database beside it, with the same owner, and with extensions (`hstore`, `schema.hstore`).

        Raises: Invalid for an extension there is not, Unavailable.
        """

    async def room_bytes(self, transfer_id: UUID) -> int:
        """How much there is in it now. Raises: Unavailable."""

    @property
    def keeps_history(self) -> bool:
        """Whether it can tell what a database was; without, `rewound` raises Invalid."""

    async def rewound(self, id: UUID, transfer_id: UUID, at: datetime) -> DatabaseAddress:
        """The database as it was, on a server beside that `tidy` removes. Raises: Invalid when that time is not kept, Unavailable."""

    async def keep_history(self, days: int) -> None:
        """Keeps what databases were from now on, so many days back; called daily. Raises: Unavailable."""

    async def history_bytes(self) -> int:
        """What that takes on disk. Raises: Unavailable."""

    async def put_in_place(self, id: UUID, transfer_id: UUID) -> None:
        """What was made beside it takes its place at once, connections to the former are cut; `tidy` removes that.

        Raises: Unavailable, Conflict.
        """

    async def tidy(self, id: UUID, transfer_id: UUID) -> None:
        """Removes what an interrupted transfer left, on the server too. May be repeated. Raises: Unavailable."""


class History(Protocol):
    """What the machine's own server was in the last days."""

    async def used_bytes(self) -> int:
        """What it takes on disk. Raises: Unavailable."""

    async def keep(self, days: int) -> None:
        """Keeps it from now on, so many days back; called daily, it makes base backups. Raises: Unavailable."""

    async def rewind(self, id: UUID, at: datetime, database: str) -> str:
        """The server as it was, with the content of one database; gives the directory of its socket. Raises: Invalid, Unavailable."""

    async def forget(self, id: UUID) -> None:
        """Ends and removes a rewound server. May be repeated. Raises: Unavailable."""


def restorable(entries: str) -> str:
    """What of a table of contents is restored: not what each database has from the platform, nor what no tenant may make."""
    return "".join(f"{line}\n" for line in entries.splitlines() if _is_wanted(line))


def _is_wanted(line: str) -> bool:
    found = _ENTRY.match(line)
    return found is None or not f"{found['what']} ".startswith((*_GIVEN, *_NEVER))
