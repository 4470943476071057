"""`build` and `source`.

Source: https://devcenter.heroku.com/articles/build-and-release-using-the-api
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.build import begin_build, build_task
from ..actions.deploy import deploy
from ..actions.fetch_source import fetch_source
from ..core.account import Account
from ..core.app import App
from ..core.build import Build, BuildStatus
from ..core.buildpack import Buildpack
from ..core.errors import Conflict, Invalid, NotFound, PlatformError
from ..core.limits import SOURCE_MAX_BYTES
from ..core.source import Source
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.builds import find_build, list_builds
from ..store.sources import create_source
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, text
from .links import UPLOAD_S, opened, origin, signed, stream_url
from .parts import deploying, iso
from .ranges import listed
from .routing import Router

router = Router()


def shown(build: Build, user: Account | None, platform: Platform) -> dict[str, Any]:
    """The schema's `build`."""
    return {
        "app": {"id": str(build.app_id)},
        "buildpacks": [{"name": Buildpack(url).name, "url": url} for url in build.buildpacks],
        "created_at": iso(build.created_at),
        "failure": build.failure,
        "id": str(build.id),
        "output_stream_url": stream_url(build.id, platform),
        "release": {"id": str(build.release_id)} if build.release_id else None,
        "slug": {"id": str(build.slug_id)} if build.slug_id else None,
        "source_blob": {
            "checksum": None,
            "url": build.source.key,
            "version": build.source.version,
            "version_description": build.source.version_description,
        },
        "stack": build.stack,
        "status": build.status.value,
        "updated_at": iso(build.updated_at),
        "user": {"email": user.email if user else "", "id": str(build.user_id)},
    }


async def _shown(builds: list[Build], platform: Platform) -> list[dict[str, Any]]:
    async with platform.db.reading() as tx:
        users = await find_accounts(tx, {build.user_id for build in builds})
    return [shown(build, users.get(build.user_id), platform) for build in builds]


@router.get("/apps/{app}/builds")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        builds = await list_builds(tx, app.id)
    return listed(request, await _shown(builds, platform), fields=("id", "created_at"))


async def _find(app: App, id: UUID, platform: Platform) -> Build:
    async with platform.db.reading() as tx:
        found = await find_build(tx, app.id, id)
    if found is None:
        raise NotFound(f"Couldn't find that build of {app.name}.", app=app.name)
    return found


@router.get("/apps/{app}/builds/{id}")
async def info(id: UUID, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse((await _shown([await _find(app, id, platform)], platform))[0])


@router.post("/apps/{app}/builds")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: builds a source tarball and releases what comes out; goes on after the answer."""
    body = await json_body(request)
    blob = body.get("source_blob")
    if not isinstance(blob, dict) or not isinstance(blob.get("url"), str):
        raise Invalid("`source_blob` must be an object with `url`, the address of a .tgz.")
    version, described = text(blob, "version", most=255), text(blob, "version_description", most=4096)
    if body.get("buildpacks"):
        raise Invalid("`buildpacks` cannot be given for one build; set them for the app with `senryu buildpacks:set`.")
    build_id = uuid4()
    key = await _source_key(blob["url"], build_id, platform)
    source = Source(key, version or None, described[:255] if described else None)
    try:
        started = await begin_build(app, source, by=caller.account, id=build_id, db=platform.db, clock=platform.clock)
    except PlatformError:
        if str(build_id) in key:
            await platform.blobs.delete(key)  # fetched for this build alone
        raise
    await platform.streams.begin(started.id)
    platform.supervision.undertake(f"deploy:{started.id}", _deploy(app, started, caller.account, platform))
    await asyncio.sleep(0)  # it begins before its answer is given: whoever has the answer can cancel it
    return JSONResponse((await _shown([started], platform))[0], 201)


async def _source_key(url: str, build_id: UUID, platform: Platform) -> str:
    """The blob behind a source's address: one uploaded here, or fetched from elsewhere."""
    path = re.sub(r"^https?://[^/]+", "", url)
    if path.startswith("/senryu/sources/"):
        source_id = opened("source-get", path.rsplit("/", 1)[-1], platform)
        return _blob_key(source_id)
    return await fetch_source(url, f"sources/{build_id}", blobs=platform.blobs, resolver=platform.resolver)


async def _nowhere(_: bytes) -> None:
    """Builds by the API print to their stream alone."""


async def _deploy(app: App, started: Build, by: Account, platform: Platform) -> None:
    try:
        await deploy(app, started, _nowhere, by=by, web_url=platform.settings.web_url(app.name), **deploying(platform))
    except PlatformError:
        pass  # told in the build's record, stream and log
    finally:
        await platform.blobs.delete(started.source.key)


@router.delete("/apps/{app}/builds/{id}")
async def cancel(id: UUID, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Cancel a pending build, also one of a git push: the pusher is told, and the branch stays where it was."""
    build = await _find(app, id, platform)
    if build.status is not BuildStatus.PENDING:
        raise Conflict(f"That build has {build.status.value}; only a pending one can be cancelled.", app=app.name)
    if not platform.supervision.cancel(build_task(build.id)):
        raise Conflict("That build is only just beginning or ending; look at its status and cancel again.", app=app.name)
    return JSONResponse((await _shown([build], platform))[0])


@router.delete("/apps/{app}/build-cache")
async def purge_cache(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Forget what buildpacks kept between builds."""
    await platform.builder.purge_cache(app.id)
    return JSONResponse({})


def _blob_key(source_id: UUID) -> str:
    return f"sources/{source_id}.tgz"


@router.post("/apps/{app}/sources")
async def create_source_for(app: AppDep, caller: CallerDep, request: Request, platform: PlatformDep) -> JSONResponse:
    """Create, as older clients ask: for one app."""
    return await create_source_(request, caller, platform)


@router.post("/sources")
async def create_source_(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: a place to upload a source tarball to."""
    id = uuid4()
    async with platform.db.transaction() as tx:
        await create_source(tx, id, caller.account.id, platform.clock.now())
    base = f"{origin(platform)}/senryu/sources"
    blob = {
        "get_url": f"{base}/{signed('source-get', id, UPLOAD_S, platform)}",
        "put_url": f"{base}/{signed('source-put', id, UPLOAD_S, platform)}",
    }
    return JSONResponse({"source_blob": blob}, 201)


@router.put("/senryu/sources/{token}")
async def upload(token: str, request: Request, platform: PlatformDep) -> Response:
    """Takes a source tarball. The URL is its own permission."""
    id = opened("source-put", token, platform)
    await platform.blobs.put(_blob_key(id), _body(request), max_bytes=SOURCE_MAX_BYTES)
    return Response(status_code=200)


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk
