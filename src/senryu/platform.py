"""The collaborators that doors hand to actions. Fields only; actions never see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .actions.partners import Making, Offered
from .actions.transfers import Transfers
from .config import Settings
from .core.add_on import Suppliers
from .core.address import Resolver
from .core.build import Builder, Streams
from .core.certificate_order import Certifying
from .core.clock import Clock
from .core.database import Databases
from .core.dyno import Engine, OutputReader
from .core.follower import Following
from .core.formation import Supervision
from .core.key_value_store import KeyValueStores
from .core.log_drain import Draining
from .core.log_line import LogReader, LogWriter
from .core.object_store import ObjectServer
from .core.partner import Described, Manifest
from .core.route import Router
from .core.slug import BlobStore
from .core.source import Repositories
from .store.database import Database
from .store.vault import Vault


@dataclass(frozen=True, slots=True)
class Partners:
    """Services of others: `offered` are all services there are, `make` a supplier of one by its manifest and OAuth client."""

    offered: Offered
    make: Making

    def manifests(self) -> list[Manifest]:
        """Of those registered."""
        return [each.manifest for each in self.offered.values() if isinstance(each, Described)]

    def manifest(self, name: str) -> Manifest | None:
        """Of the service of that name, None for one of the platform's own."""
        found = self.offered.get(name)
        return found.manifest if isinstance(found, Described) else None


@dataclass(frozen=True, slots=True)
class Platform:
    """What runs, by contract."""

    settings: Settings
    db: Database
    vault: Vault
    signing_key: bytes
    blobs: BlobStore
    repositories: Repositories
    builder: Builder
    engine: Engine
    output: OutputReader
    router: Router
    log_writer: LogWriter
    log_reader: LogReader
    resolver: Resolver
    drains: Draining
    certifying: Certifying
    streams: Streams
    supervision: Supervision
    clock: Clock
    suppliers: Suppliers = field(default_factory=dict)
    databases: Databases | None = None
    following: Following | None = None
    stores: KeyValueStores | None = None
    objects: ObjectServer | None = None
    partners: Partners | None = None
    transfers: Transfers | None = None
