"""What families of actions are given to work with, so that one that calls another hands its own on whole."""

from __future__ import annotations

from typing import TypedDict

from ..core.add_on import Suppliers
from ..core.build import Builder, Streams
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..store.database import Database
from ..store.vault import Vault


class Telling(TypedDict):
    """For changing what the database says of an app, and telling its log."""

    db: Database
    log_writer: LogWriter
    clock: Clock


class Certified(Telling):
    """… and having certificates looked after."""

    certifying: Certifying


class Waking(Telling):
    """… and having supervise look."""

    supervision: Supervision


class Releasing(Waking):
    """… by making a release. `default_size` is what new process types get."""

    default_size: str
    vault: Vault


class Deploying(Releasing):
    """… from source. `first_database` is the plan that a first deploy may get a database of, or `off`."""

    builder: Builder
    streams: Streams
    suppliers: Suppliers
    first_database: str


def released_with(parts: Deploying) -> Releasing:
    """What of a deploy's parts the release takes."""
    return Releasing(
        db=parts["db"],
        log_writer=parts["log_writer"],
        clock=parts["clock"],
        supervision=parts["supervision"],
        default_size=parts["default_size"],
        vault=parts["vault"],
    )
