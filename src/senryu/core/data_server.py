"""Servers of add-on data on this machine: started when the first add-on of their kind is made, then kept running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["postgres", "postgres-standby", "objects"]  # those of which one server has all add-ons of a machine


@dataclass(frozen=True, slots=True)
class DataServer:
    """Where one is: dynos reach it at `address`:`port`, the platform as its administrator in the directory `sockets`.

    One that is not ready is still being made, and will be without being asked again.
    """

    address: str
    port: int
    sockets: str
    is_ready: bool = True


class DataServers(Protocol):
    """What runs them."""

    async def run_data(self, kind: Kind) -> DataServer:
        """Sees to it that the server of a kind runs and will run from now on. Raises: Unavailable with what its owner has to do."""

    async def end_standby(self) -> None:
        """Ends the copy of the PostgreSQL server and removes it. May be repeated. Raises: Unavailable, and is then to be asked again."""

    async def standby_bytes(self) -> int:
        """What that copy takes on disk, 0 when there is none. Raises: Unavailable."""
