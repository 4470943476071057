"""Which server the databases are on: the platform's own, or one that the operator has, named by an administrator's URL."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ...core.data_server import DataServers
from ...core.errors import Invalid
from ...core.reach import DATABASE_PORT
from .connect import Reached, Server

_ADMIN = "senryu_admin"


class OwnServer:
    """The one that the platform runs on this machine."""

    def __init__(self, servers: DataServers) -> None:
        self._servers = servers
        self.last: Reached | None = None

    async def reached(self) -> Reached:
        """See Server."""
        where = await self._servers.run_data("postgres")
        self.last = Reached({"host": where.sockets, "port": where.port, "user": _ADMIN}, where.address, where.port)
        return self.last


class GivenServer:
    """One that is there already: `postgres://admin:password@host:port/`. Dynos go there by that name."""

    last = None

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.username:
            raise Invalid("postgres_admin_url must be like postgres://admin:password@host:5432/, with an administrator of that server.")
        password = unquote(parts.password) if parts.password else None
        self._reached = Reached(
            {"host": parts.hostname, "port": parts.port or DATABASE_PORT, "user": unquote(parts.username), "password": password},
            parts.hostname,
            parts.port or DATABASE_PORT,
        )

    async def reached(self) -> Reached:
        """See Server."""
        return self._reached


_own: type[Server] = OwnServer
_given: type[Server] = GivenServer
