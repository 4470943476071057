"""What a `git push` comes to: who may, and what becomes of the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack
from uuid import uuid4

from ..core import limits
from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import Forbidden, NotFound
from ..core.permission import Permission
from ..core.release import Release
from ..core.slug import BlobStore
from ..core.source import Source
from ..store.apps import find_app
from ..store.database import Database
from .access import app_for
from .authenticate import authenticate
from .build import Output, begin_build
from .deploy import deploy
from .parts import Deploying


async def authorize_push(app_name: str, token: str, *, db: Database, clock: Clock) -> tuple[App, Account]:
    """The app and the account behind a token, for pushes and fetches alike. Raises: Unauthorized, Forbidden, NotFound."""
    account, authorization = await authenticate(token, db=db, clock=clock)
    if not {"global", "write", "write-protected"} & set(authorization.scope):
        raise Forbidden("This token may not push or fetch code; use one with the scope `global` or `write`.")
    async with db.reading() as tx:
        return await app_for(tx, account, app_name, needs=Permission.DEPLOY), account


async def push(
    app: App,
    commit: str,
    tar: AsyncIterator[bytes],
    output: Output,
    *,
    by: Account,
    web_url: str,
    blobs: BlobStore,
    **parts: Unpack[Deploying],
) -> Release:
    """Builds and releases a pushed commit.

    Raises: Conflict while another build runs, and what `deploy` raises: BuildFailed also when the build was cancelled.
    """
    async with parts["db"].reading() as tx:
        known = await find_app(tx, app.id)
    if known is None:
        raise NotFound("Couldn't find that app.")
    id, began = uuid4(), parts["clock"].monotonic()
    source = Source(f"sources/{id}.tar", commit)
    try:
        await blobs.put(source.key, tar, max_bytes=limits.SOURCE_MAX_BYTES)
        before = {"source_s": parts["clock"].monotonic() - began}
        started = await begin_build(known, source, by=by, id=id, db=parts["db"], clock=parts["clock"])
        return await deploy(known, started, output, by=by, web_url=web_url, before=before, **parts)
    finally:
        await blobs.delete(source.key)
