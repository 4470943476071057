"""The collaborators that doors hand to actions. Fields only; actions never see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .actions.transfers import Transfers
from .config import Settings
from .core.add_on import Suppliers
from .core.address import Resolver
from .core.build import Builder, Streams
from .core.certificate_order import Certifying
from .core.clock import Clock
from .core.database import Databases
from .core.dyno import Engine, OutputReader
from .core.formation import Supervision
from .core.log_drain import Draining
from .core.log_line import LogReader, LogWriter
from .core.route import Router
from .core.slug import BlobStore
from .core.source import Repositories
from .store.database import Database
from .store.vault import Vault


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
    transfers: Transfers | None = None
