"""Followers: databases of the platform's own server, on the copy of it that the agent keeps.

Source: PostgreSQL documentation, "Hot Standby", "Recovery Information Functions".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ...core.add_on import Given
from ...core.data_server import DataServer, DataServers
from ...core.errors import Unavailable
from ...core.follower import Following, follower_url
from .care import PostgresDatabases
from .connect import Reached, Server, connected

_ADMIN = "senryu_admin"
_PAUSE_S = 0.2
_TRIES = 100  # then whoever asked is told later
_BEHIND = """
SELECT CASE WHEN (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming') > 0
                 AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM now() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) END
"""


class StandbyServer:
    """See Server."""

    last = None

    def __init__(self, servers: DataServers) -> None:
        self._servers = servers

    async def look(self) -> DataServer:
        """Sees to it that it runs, or is being made. Raises: Unavailable."""
        return await self._servers.run_data("postgres-standby")

    async def reached(self) -> Reached:
        """See Server."""
        where = await self.look()
        if not where.is_ready:
            raise Unavailable("The copy of the databases' server is being made; try again in a minute.")
        return Reached({"host": where.sockets, "port": where.port, "user": _ADMIN}, where.address, where.port)


class PostgresFollowing:
    """See Following."""

    def __init__(self, server: Server, servers: DataServers) -> None:
        self._server, self._servers = server, servers
        self._standby = StandbyServer(servers)
        self.databases = PostgresDatabases(self._standby)

    async def followed(self, leader_url: str) -> Mapping[str, str] | Given:
        """The config of a follower; without one while the copy does not have the leader yet. Raises: Unavailable."""
        async with connected(self._server) as (admin, _):
            wanted = await admin.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        for _ in range(_TRIES):
            where = await self._standby.look()
            if where.is_ready and await self._has(wanted):
                return {"URL": follower_url(leader_url, where.address, where.port)}
            await asyncio.sleep(_PAUSE_S)
        return Given(None, message="The copy of the server is being made; wait with `pg:wait`.")

    async def _has(self, wanted: str) -> bool:
        async with connected(self._standby) as (admin, _):
            return bool(await admin.fetchval(f"SELECT pg_last_wal_replay_lsn() >= '{wanted}'::pg_lsn"))

    async def behind(self) -> float | None:
        """See Following."""
        if not (await self._standby.look()).is_ready:
            return None
        async with connected(self._standby) as (admin, _):
            return float(await admin.fetchval(_BEHIND))

    async def end(self) -> None:
        """See Following."""
        await self._servers.end_standby()

    async def used_bytes(self) -> int:
        """See Following."""
        return await self._servers.standby_bytes()


_: type[Following] = PostgresFollowing
