"""What a `git push` comes to: who may, and what becomes of the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

from ..core import limits
from ..core.account import Account
from ..core.app import App
from ..core.build import Builder, Streams
from ..core.clock import Clock
from ..core.errors import NotFound
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..core.release import Release
from ..core.slug import BlobStore
from ..core.source import Source
from ..store.apps import find_app
from ..store.database import Database
from ..store.vault import Vault
from .access import app_for
from .authenticate import authenticate
from .build import Output, begin_build
from .deploy import deploy


async def authorize_push(app_name: str, token: str, *, db: Database, clock: Clock) -> tuple[App, Account]:
    """The app and the account behind a token, for pushes and fetches alike. Raises: Unauthorized, NotFound."""
    account, _ = await authenticate(token, db=db, clock=clock)
    async with db.reading() as tx:
        return await app_for(tx, account, app_name), account


async def push(
    app: App,
    commit: str,
    tar: AsyncIterator[bytes],
    output: Output,
    *,
    by: Account,
    web_url: str,
    default_size: str,
    db: Database,
    vault: Vault,
    blobs: BlobStore,
    builder: Builder,
    streams: Streams,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> Release:
    """Builds and releases a pushed commit. Raises: Conflict while another build runs, and what `deploy` raises."""
    async with db.reading() as tx:
        known = await find_app(tx, app.id)
    if known is None:
        raise NotFound("Couldn't find that app.")
    id = uuid4()
    source = Source(f"sources/{id}.tar", commit)
    try:
        await blobs.put(source.key, tar, max_bytes=limits.SOURCE_MAX_BYTES)
        started = await begin_build(known, source, by=by, id=id, db=db, clock=clock)
        return await deploy(
            known,
            started,
            output,
            by=by,
            default_size=default_size,
            web_url=web_url,
            db=db,
            vault=vault,
            builder=builder,
            streams=streams,
            log_writer=log_writer,
            supervision=supervision,
            clock=clock,
        )
    finally:
        await blobs.delete(source.key)
