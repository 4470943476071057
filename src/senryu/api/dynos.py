"""`dyno`, and one-off dynos with their terminals.

Source: schema `dyno`; wire contract 5.3, 6.2
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.restart import restart, stop
from ..actions.run import environment_inside, run, terminal_wish
from ..core.app import App
from ..core.dyno import Dyno, DynoKind, DynoState
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.dynos import list_dynos
from .auth import AppDep, CallerDep, PlatformDep
from .body import flag, json_body, named, needed_text, number, text, texts
from .parts import iso, waking
from .ranges import listed
from .rendezvous import DOOR_HEADER, Inside, OneOff, Rendezvous
from .routing import Router

router = Router()


def shown(dyno: Dyno, app: App, attach_url: str | None = None) -> dict[str, Any]:
    """The schema's `dyno`, with our `exit_code` of ended one-offs."""
    return {
        "app": {"id": str(app.id), "name": app.name},
        "attach_url": attach_url,
        "command": dyno.command,
        "created_at": iso(dyno.created_at),
        "exit_code": dyno.exit_code if dyno.ended_at is not None else None,
        "extended": None,
        "id": str(dyno.id),
        "name": dyno.name,
        "release": {"id": str(dyno.release_id), "version": dyno.release_version},
        "size": dyno.size,
        "state": dyno.state.value,
        "type": dyno.type,
        "updated_at": iso(dyno.changed_at),
    }


def _is_listed(dyno: Dyno, dynos: list[Dyno]) -> bool:
    """Ended one-offs are gone, and of two `web.1` in a roll-out the newer one is shown."""
    if dyno.kind is not DynoKind.FORMATION:
        return dyno.ended_at is None
    newer = [other for other in dynos if other.name == dyno.name and other.created_at > dyno.created_at]
    return dyno.state is not DynoState.DOWN and not newer


@router.get("/apps/{app}/dynos")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    dynos = await platform.db.remembered(("dynos", app.id), lambda tx: list_dynos(tx, app.id))
    return listed(request, [shown(dyno, app) for dyno in dynos if _is_listed(dyno, dynos)], fields=("name", "id"))


async def _find(app: App, name_or_id: str, platform: Platform) -> Dyno:
    async with platform.db.reading() as tx:
        found = [dyno for dyno in await list_dynos(tx, app.id) if name_or_id in (dyno.name, str(dyno.id))]
    if not found:
        raise NotFound(f"Couldn't find that dyno ({name_or_id[:80]}).", app=app.name)
    return found[-1]


@router.get("/apps/{app}/dynos/{dyno}")
async def info(dyno: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info; one-offs for ten minutes after their end, with `exit_code`."""
    return JSONResponse(shown(await _find(app, dyno, platform), app))


@router.post("/apps/{app}/dynos")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: runs a command once. With `attach`, `attach_url` leads to its terminal."""
    body = await json_body(request)
    attach, is_framed = bool(flag(body, "attach")), text(body, "stdin") == "framed"
    wants_tty = attach and not flag(body, "force_no_tty") and not is_framed
    wish, env = terminal_wish(texts(body, "env"), attach=attach, tty=wants_tty)
    kind = text(body, "type", most=63) or "run"
    if not (kind.isascii() and kind.isalnum()) or kind in ("web", "release"):
        raise Invalid("`type` must be a word such as `run`.")
    dyno = await run(
        app,
        needed_text(body, "command", most=40_000),
        env=env,
        wish=wish,
        size=named(body, "size"),
        default_size=platform.settings.default_size,
        by=caller.account,
        vault=platform.vault,
        engine=platform.engine,
        type=kind,
        **waking(platform),
    )
    if not attach:
        return JSONResponse(shown(dyno, app), 201)
    rendezvous: Rendezvous = request.app.state.rendezvous
    url = rendezvous.expect(OneOff(dyno, is_framed, wish.tty), request.headers.get(DOOR_HEADER))
    return JSONResponse({**shown(dyno, app, url), **({"stdin": "framed"} if is_framed else {})}, 201)


@router.post("/apps/{app}/dynos/{dyno}")
async def run_inside(dyno: str, request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Runs a command inside a running dyno (`run:inside`, our `ps:exec`)."""
    body = await json_body(request)
    found = await _find(app, dyno, platform)
    if found.state is not DynoState.UP:
        raise Invalid(f"{found.name} is {found.state.value}; a command can only run inside a dyno that is up.", app=app.name)
    is_framed = text(body, "stdin") == "framed"
    tty = not flag(body, "force_no_tty") and not is_framed
    wish, env = terminal_wish(texts(body, "env"), attach=True, tty=tty)
    rendezvous: Rendezvous = request.app.state.rendezvous
    inside_env = await environment_inside(app, found, env, db=platform.db, vault=platform.vault)
    inside = Inside(found, needed_text(body, "command", most=40_000), inside_env, wish, is_framed)
    url = rendezvous.expect(inside, request.headers.get(DOOR_HEADER))
    answer = shown(found, app, url) | {"terminal_id": str(inside.id)}
    return JSONResponse({**answer, **({"stdin": "framed"} if is_framed else {})}, 201)


@router.post("/apps/{app}/dynos/{dyno}/actions/resize")
async def resize(dyno: str, request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Changes the window of a one-off's terminal (ours; the rendezvous protocol has no message for it)."""
    body = await json_body(request)
    found = await _find(app, dyno, platform)
    columns, lines = number(body, "columns", least=1, most=1000), number(body, "lines", least=1, most=1000)
    rendezvous: Rendezvous = request.app.state.rendezvous
    await rendezvous.resize(found.id, columns or 80, lines or 24, text(body, "terminal_id"))
    return JSONResponse({}, 202)


@router.delete("/apps/{app}/dynos")
async def restart_all(app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Restart all."""
    await restart(app, None, by=caller.account, **waking(platform))
    return JSONResponse({}, 202)


@router.delete("/apps/{app}/dynos/{dyno}")
@router.delete("/apps/{app}/formations/{dyno}")
async def restart_one(dyno: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Restart one dyno, or (under `formations`) a process type."""
    await restart(app, dyno, by=caller.account, **waking(platform))
    return JSONResponse({}, 202)


@router.post("/apps/{app}/dynos/{dyno}/actions/stop")
@router.post("/apps/{app}/formations/{dyno}/actions/stop")
async def stop_one(dyno: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Stop one dyno, or a process type's."""
    await stop(app, dyno, by=caller.account, **waking(platform))
    return JSONResponse({}, 202)
