"""PostgreSQL databases as add-ons: a role and a database of its own for each, on one server."""

from .care import PostgresDatabases
from .connect import Reached, Server
from .following import PostgresFollowing
from .moving import PostgresMoving
from .plans import SERVICE
from .server import GivenServer, OwnServer
from .supplier import PostgresSupplier

__all__ = [
    "SERVICE",
    "GivenServer",
    "OwnServer",
    "PostgresDatabases",
    "PostgresFollowing",
    "PostgresMoving",
    "PostgresSupplier",
    "Reached",
    "Server",
]
