"""`slug`: making one elsewhere and releasing it here, as `slug` users of the API do.

Source: schema `slug`; https://devcenter.heroku.com/articles/platform-api-deploying-slugs
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.upload_slug import new_slug, store_slug
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..core.slug import Slug
from ..platform import Platform
from ..store.builds import find_slug
from ..streamed import Streamed
from .apps import stack_id
from .auth import AppDep, PlatformDep
from .body import json_body, text
from .links import UPLOAD_S, opened, origin, signed
from .parts import iso
from .routing import Router

router = Router()


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def shown_slug(slug: Slug, platform: Platform, *, method: str = "get") -> dict[str, Any]:
    """The schema's `slug`."""
    url = f"{origin(platform)}/senryu/slugs/{signed(f'slug-{method}', slug.id, UPLOAD_S, platform)}?app={slug.app_id}"
    return {
        "blob": {"method": method, "url": url},
        "buildpack_provided_description": slug.buildpack_provided_description,
        "checksum": f"SHA256:{slug.checksum}" if slug.checksum else None,
        "commit": slug.commit,
        "commit_description": slug.commit_description,
        "created_at": iso(slug.created_at),
        "id": str(slug.id),
        "process_types": dict(slug.process_types),
        "size": slug.size_bytes or None,
        "stack": {"id": stack_id(slug.stack), "name": slug.stack},
        "updated_at": iso(slug.created_at),
    }


@router.get("/apps/{app}/slugs/{id}")
async def slug_info(id: UUID, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Slug info."""
    async with platform.db.reading() as tx:
        slug = await find_slug(tx, app.id, id)
    if slug is None:
        raise NotFound(f"Couldn't find that slug of {app.name}.", app=app.name)
    return JSONResponse(shown_slug(slug, platform))


@router.post("/apps/{app}/slugs")
async def slug_create(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Slug create: a record and an address to upload the .tgz to; it can be released once it is there."""
    slug = await _new_slug(app, await json_body(request), platform)
    return JSONResponse(shown_slug(slug, platform, method="put"), 201)


async def _new_slug(app: App, body: dict[str, Any], platform: Platform) -> Slug:
    types = body.get("process_types")
    if not isinstance(types, dict) or not all(isinstance(value, str) for value in types.values()):
        raise Invalid("`process_types` must be an object such as {\"web\": \"./server\"}.")
    commit = text(body, "commit", most=255)
    description = text(body, "buildpack_provided_description", most=255)
    return await new_slug(
        app,
        types,
        commit=commit or None,
        description=description or None,
        db=platform.db,
        clock=platform.clock,
    )


@router.put("/senryu/slugs/{token}")
async def slug_upload(token: str, app: UUID, request: Request, platform: PlatformDep) -> Response:
    """Takes a slug's .tgz. The URL is its own permission."""
    id = opened("slug-put", token, platform)
    await store_slug(app, id, _body(request), db=platform.db, blobs=platform.blobs)
    return Response(status_code=200)


@router.get("/senryu/slugs/{token}")
async def slug_download(token: str, app: UUID, platform: PlatformDep) -> Response:
    """Gives a slug's object. The URL is its own permission."""
    id = opened("slug-get", token, platform)
    async with platform.db.reading() as tx:
        slug = await find_slug(tx, app, id)
    if slug is None or not slug.checksum:
        raise NotFound("That slug is not there (any more).")
    return Streamed(platform.blobs.get(slug.key), media_type="application/gzip")
