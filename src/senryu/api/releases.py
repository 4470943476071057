"""`release`.

Source: schema `release`; wire contract 5.4
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.release import Draft, release
from ..actions.rollback import rollback
from ..core.account import Account
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..core.release import Release, is_eligible_for_rollback, needs_release_phase
from ..core.slug import Slug
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.builds import find_slug
from ..store.releases import current_release, find_release, list_releases
from ..streamed import Streamed
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, named, text
from .links import stream_token, stream_url
from .parts import iso, releasing
from .ranges import listed
from .routing import Router

router = Router()


def version_or_id(wanted: str) -> UUID | int:
    """What a path names: a version with or without `v`, or an id. Raises: NotFound."""
    digits = wanted.removeprefix("v")
    if digits.isascii() and digits.isdigit() and len(digits) < 10:
        return int(digits)
    try:
        return UUID(wanted)
    except ValueError:
        raise NotFound("Couldn't find that release.") from None


def shown(release: Release, app: App, user: Account | None, platform: Platform, *, is_current: bool) -> dict[str, Any]:
    """The schema's `release`, with `eligible_for_rollback` and our `failure` and `timing`."""
    has_phase = needs_release_phase(release.process_types, release.slug_id)
    return {
        "addon_plan_names": [],
        "app": {"id": str(app.id), "name": app.name},
        "artifacts": [{"id": str(release.slug_id), "type": "slug"}] if release.slug_id else [],
        "created_at": iso(release.created_at),
        "current": is_current,
        "description": release.description,
        "eligible_for_rollback": is_eligible_for_rollback(release),
        "failure": release.failure,
        "id": str(release.id),
        "oci_image": None,
        "output_stream_url": stream_url(release.id, platform) if has_phase else None,
        "slug": {"id": str(release.slug_id)} if release.slug_id else None,
        "status": release.status.value,
        "timing": dict(release.timing) if release.timing else None,
        "updated_at": iso(release.updated_at),
        "user": {"email": user.email if user else "", "id": str(release.user_id)},
        "version": release.version,
    }


async def _shown(releases: list[Release], app: App, platform: Platform) -> list[dict[str, Any]]:
    async with platform.db.reading() as tx:
        users = await find_accounts(tx, {release.user_id for release in releases})
        serving = await current_release(tx, app.id, vault=platform.vault)
    return [
        shown(each, app, users.get(each.user_id), platform, is_current=serving is not None and each.id == serving.id) for each in releases
    ]


@router.get("/apps/{app}/releases")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        releases = await list_releases(tx, app.id, vault=platform.vault)
    return listed(request, await _shown(releases, app, platform), fields=("version", "id"))


@router.get("/apps/{app}/releases/{release}")
async def info(release: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    async with platform.db.reading() as tx:
        found = await find_release(tx, app.id, version_or_id(release), vault=platform.vault)
    if found is None:
        raise NotFound(f"Couldn't find that release of {app.name}.", app=app.name)
    return JSONResponse((await _shown([found], app, platform))[0])


@router.post("/apps/{app}/releases")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: `release` rolls back to it; `slug` releases a slug of the app."""
    body = await json_body(request)
    target = named(body, "release")
    if target is not None:
        made: Release | None = await rollback(app, version_or_id(target), by=caller.account, **releasing(platform))
    else:
        made = await _of_slug(app, named(body, "slug"), text(body, "description"), caller.account, platform)
    assert made is not None
    return JSONResponse((await _shown([made], app, platform))[0], 201)


async def _of_slug(app: App, slug_id: str | None, description: str | None, by: Account, platform: Platform) -> Release | None:
    slug: Slug | None = None
    try:
        wanted = UUID(slug_id or "")
    except ValueError:
        raise Invalid("Give `slug`, the id of a slug of this app, or `release`, the id of a release to go back to.") from None
    async with platform.db.reading() as tx:
        slug = await find_slug(tx, app.id, wanted)
    if slug is None or not slug.checksum:
        raise NotFound(f"Couldn't find that slug of {app.name}.", app=app.name)
    kept: Slug = slug

    def draft(latest: Release | None) -> Draft:
        config: Mapping[str, str] = latest.config_vars if latest else {}
        commit = f" {kept.commit[:8]}" if kept.commit else ""
        return Draft(description or f"Deploy{commit}", config, kept, kept.process_types, kept.commit)

    return await release(app, draft, by=by, **releasing(platform))


@router.get("/senryu/streams/{token}")
async def output(token: str, platform: PlatformDep) -> Streamed:
    """What a build or release phase printed, from the beginning to its end. The URL is its own permission."""
    stream_id = stream_token(token, platform)
    chunks = platform.streams.read(stream_id)
    first = await anext(chunks, b"")  # here, so that a stream that has not begun is answered 404

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return Streamed(all_chunks(), media_type="text/plain; charset=utf-8")
